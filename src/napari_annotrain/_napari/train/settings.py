from typing import TYPE_CHECKING, Any

from napari_annotrain.session import LAST_MODEL, NOTHING
from napari_annotrain.specs import PRESETS, NetSpec, TrainSpec

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

_LAST = "my last model"
NO_BASE = "Training starts from nothing, of which nothing can be kept: choose a model to start from first."
NO_PLATEAU = "Only the schedule plateau waits for a higher score: choose it first."
#: Shipped model to start from, by target.
PROPOSED: dict[str, str] = {"cells": "cells-2d"}


class TrainSettings:
    """What training starts from, and with which network and settings."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self.devices: Any = ()
        self.bases: Any = ()
        self.why_no_gpu = ""

    def show_settings(self) -> None:
        """Offer devices and bases, and show what is chosen."""
        panel, session = self._c.panel, self._c.session
        if panel is None:
            return
        if self.devices:
            panel.train.set_devices(self.devices, self.why_no_gpu)
        panel.annotate.target_combo.choose(session.target)
        panel.train.device_combo.choose(session.train.device)
        panel.train.set_spec(self._preset_spec(), new_default=True)
        panel.train.set_spec(session.train)
        panel.train.set_net(PRESETS[session.preset].net, new_default=True)
        panel.predict.more.set_spec(session.predict)
        panel.predict.cells.set_spec(session.predict.cells)
        self._offer_bases()

    def _offer_bases(self) -> None:
        panel, session = self._c.panel, self._c.session
        if panel is None:
            return
        self._refuse_settings()
        choices = [(NOTHING, "nothing")]
        if session.model is not None:
            choices.append((LAST_MODEL, self._last()))
        choices += [(name, name) for name in self.bases]
        panel.train.set_bases(choices, session.base)
        panel.train.show_network(session.preset, self._whose_network())
        self._refuse_parts()

    def _whose_network(self) -> str:
        """The model training goes on from, in words; empty when it starts from nothing."""
        base = self._c.session.base
        return {NOTHING: "", LAST_MODEL: self._last()}.get(base, base)

    def _last(self) -> str:
        """What the model that predicts is called among those to start from."""
        session = self._c.session
        model, models = session.model, session.models
        return _LAST if model is None or not models or model is models[-1] else model.name

    def choose_base(self) -> None:
        """Go on from the last model where it learnt the same thing; else from what the package knows, or nothing."""
        session = self._c.session
        model = session.model
        proposed = PROPOSED.get(session.target, NOTHING)
        if model is not None and model.model.card.target == session.target:
            session.base = LAST_MODEL
        else:
            session.base = proposed if proposed in self.bases else NOTHING
        self._offer_bases()

    def set_base(self, name: Any) -> None:
        """Start from this."""
        if name is None:
            return
        self._c.session.base = name
        self._offer_bases()
        whose = self._whose_network()
        network = f"the network of {whose}" if whose else f"the network {self._c.session.preset}"
        self._c.say(f"Training will start from {whose or 'nothing'}, with {network}.")

    def set_preset(self, name: Any) -> None:
        """Take the network and settings of a preset; time and device stay.

        A model keeps its own network, so that a chosen one starts from nothing.
        """
        session, panel = self._c.session, self._c.panel
        if name not in PRESETS:  # the base's own: already so
            return
        whose = self._whose_network()
        session.preset, session.base, session.net = name, NOTHING, None
        session.train = self._preset_spec()
        if panel is not None:
            panel.train.set_spec(session.train, new_default=True)
            panel.train.set_net(PRESETS[name].net, new_default=True)
        self._offer_bases()
        if whose:
            self._c.say(f"Training will start from nothing, with the network {name}: {whose} has another one.")

    def set_net(self, net: NetSpec) -> None:
        """Build the network otherwise than the preset does."""
        session, whose = self._c.session, self._whose_network()
        usual = PRESETS[session.preset].net
        if whose:  # the button that goes back to the preset's
            self.show_settings()
            self._c.say(self._why_its_own(whose))
            return
        different = net.differences(usual)
        session.net = net if different else None
        self._refuse_parts()
        what = f"with {', '.join(different)}" if different else "as it comes"
        self._c.say(f"Training from nothing will build the network {session.preset} {what}.")

    def _refuse_parts(self) -> None:
        panel, session = self._c.panel, self._c.session
        if panel is None:
            return
        net, whose = session.net or PRESETS[session.preset].net, self._whose_network()
        if whose and session.base == LAST_MODEL and session.model is not None:
            net = session.model.model.card.net
        panel.train.set_net(net)
        if whose:
            panel.train.network.refuse(dict.fromkeys(type(net).model_fields, self._why_its_own(whose)))
        elif net.down == "none":
            words = "Nothing is halved on the way down, so that there is no way up."
            panel.train.network.refuse({"up": words, "skips": words})
        else:
            panel.train.network.refuse({})

    @staticmethod
    def _why_its_own(whose: str) -> str:
        return f"Training goes on from {whose}, whose network stays as it is: start from nothing to choose another."

    def _preset_spec(self) -> TrainSpec:
        """The settings of the chosen preset, with the present time and device, and what images are learnt from."""
        session = self._c.session
        preset, now = PRESETS[session.preset].train, session.train
        image = preset.image.model_copy(update={"learn_from": now.image.learn_from})
        return preset.model_copy(update={"seconds": now.seconds, "device": now.device, "image": image})

    def set_device(self, device: Any) -> None:
        """Compute on this."""
        if device is not None:
            self._c.session.train = self._c.session.train.model_copy(update={"device": device})
            self._c.session.predict = self._c.session.predict.model_copy(update={"device": device})

    def set_spec(self, spec: TrainSpec) -> None:
        """Train with other settings."""
        before = self._c.session.train
        self._c.session.train = spec.model_copy(update={"device": before.device})
        if self._c.panel is not None:
            self._c.panel.train.set_spec(self._c.session.train)
            self._refuse_settings()
        if spec.image.learn_from != before.image.learn_from:
            self._c.image_target.follow()

    def _refuse_settings(self) -> None:
        """Grey out what would change nothing with the other settings."""
        panel, session = self._c.panel, self._c.session
        if panel is None:
            return
        why = {}
        if session.base == NOTHING:
            why["freeze"] = NO_BASE
        if session.train.schedule != "plateau":
            why["patience"] = NO_PLATEAU
        if session.train.optimiser != "sgd":
            why["momentum"] = "Only SGD has momentum: choose it as optimiser first."
        else:
            why["weight_decay"] = "Only AdamW has weight decay: choose it as optimiser first."
        panel.train.more.refuse(why)
