from typing import TYPE_CHECKING

from napari_annotrain.session import Facts
from napari_annotrain.session.first_steps import are_first_steps_wanted, first_steps, put_first_steps_away

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


class FirstStepsFlow:
    """The card for people who have never trained a model here: shown until they have, or close it."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self._wanted = False

    def attach(self) -> None:
        """See whether this user needs it."""
        self._wanted = are_first_steps_wanted()

    def show(self, facts: Facts) -> None:
        """Tick what is done; with a model, the card goes for good."""
        done = first_steps(facts)
        if self._wanted and done[-1]:
            self.close()
        if self._c.panel is not None:
            self._c.panel.first_steps.set_done(done)
            self._c.panel.first_steps.setVisible(self._wanted and facts.target != "image")

    def close(self) -> None:
        """Put it away for good."""
        self._wanted = False
        if self._c.panel is not None:
            self._c.panel.first_steps.hide()
        put_first_steps_away()
