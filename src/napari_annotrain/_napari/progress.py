import time

from napari_annotrain._napari.run_events import Advanced, LeftOut, Measuring
from napari_annotrain._qt.layout import duration, time_left
from napari_annotrain._qt.predict import IMAGES, SLICE, STACK, VIEW
from napari_annotrain.events import Event, Failed, Note, Started

WORDS = {VIEW: "what you see", SLICE: "this slice", STACK: "the whole stack", IMAGES: "all images"}
#: Steps of the progress bar over several images, which may differ in size.
STEPS = 1000


class Progress:
    """How far one prediction is, in numbers and words.

    Attributes
    ----------
    failed
        Why it failed; empty where it did not.
    measuring
        Name of the image whose intensity range is being measured; empty when none is.
    """

    def __init__(self, what: str, left_out: list[str]) -> None:
        self.what = what
        self.failed = self.measuring = ""
        self.reached: Advanced | None = None
        self._started = time.monotonic()
        self._computing = False
        self._note = ""
        self._left_out = list(left_out)

    def take(self, event: Event) -> None:
        """Read one event of the run."""
        if isinstance(event, Measuring):
            self.measuring = event.name
            return
        self.measuring = ""
        match event:
            case Started() if not self._computing:  # each of several images says so
                self._computing, self._started = True, time.monotonic()
            case Advanced():
                self.reached = event
            case Note():
                self._note = event.text
            case LeftOut():
                self._left_out.append(f"{event.name} was left out: {event.why}")
            case Failed():
                self.failed = event.sentence

    def bar(self) -> tuple[int, int]:
        """Position and end of the progress bar."""
        event = self.reached
        if event is None:
            return 0, 1
        if event.pieces == 1:
            return event.done, event.total
        return round(STEPS * (event.piece + event.done / event.total) / event.pieces), STEPS

    def words(self) -> str:
        """Such as "3 of 40 · 2 min left"."""
        event = self.reached
        if event is None:
            return ""
        words = f"{event.done:,} of {event.total:,}"
        if event.pieces > 1:
            words = f"image {event.piece + 1} of {event.pieces}"
        done, total = self.bar()
        elapsed = time.monotonic() - self._started
        if 0 < done < total and elapsed > 1:
            words += f" · {time_left(elapsed / done * (total - done))}"
        return words

    def closing_words(self, stopped: bool) -> str:
        """One line about what came of it."""
        event = self.reached
        if stopped:
            amount = f" ({event.done:,} of {event.total:,})" if event is not None else ""
            return f"Cancelled: what was predicted{amount} stays."
        n_cells = event.n_cells if event is not None else None
        found = "" if n_cells is None else f": {n_cells:,} cell{'' if n_cells == 1 else 's'}"
        took = duration(time.monotonic() - self._started)
        parts = [f"Predicted {WORDS[self.what]} in {took}{found}.", self._note, *self._left_out]
        return " ".join(part for part in parts if part)
