import time
from dataclasses import replace

from napari_annotrain._napari.runs.events import Advanced, Found, LeftOut, Measuring
from napari_annotrain._qt.layout import duration, time_left
from napari_annotrain._qt.predict import IMAGES, SLICE, STACK, VIEW
from napari_annotrain.events import Completing, Done, Event, Failed, Note, Separating, Started

WORDS = {VIEW: "what you see", SLICE: "this slice", STACK: "the whole stack", IMAGES: "all images"}
#: Steps of the progress bar over several images, which may differ in size.
STEPS = 1000


class Progress:
    """How far one prediction is, in numbers and words.

    Attributes
    ----------
    done
        Whether all of it is done.
    wrote
        Whether any piece is there, so that there is something to go on from.
    failed
        Why it failed; empty where it did not.
    measuring
        Name of the image whose intensity range is being measured; empty when none is.
    """

    def __init__(self, what: str, left_out: list[str], words: str = "") -> None:
        self.what, self.done, self.wrote = what, False, False
        self._what = words or WORDS[what]  # in sentences
        self.failed = self.measuring = ""
        self.reached: Advanced | None = None
        self._started = time.monotonic()
        self._computing = False
        self._before = 0  # where the bar stood when the first tile of this run was computed
        self._note = ""
        self._found: list[Found] = []
        self._written = 0  # where the bar stood when the last piece was written
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
                self._advance(event)
            case Found():
                self._found.append(event)
                self.wrote = self.wrote or bool(event.regions)
            case Note():
                self._note = event.text
            case LeftOut():
                self._left_out.append(f"{event.name} was left out: {event.why}")
            case Done():
                self.done = True
            case Failed():
                self.failed = event.sentence

    def _advance(self, event: Advanced) -> None:
        if self.reached is None and any(found.regions for found in self._found):
            self._before = self._position(event, event.done - 1)
        if event.region is not None:
            self.wrote, self._written = True, event.done
        if self.reached is not None and self.reached.piece == event.piece:  # planes come later than their tiles
            event = replace(event, done=max(event.done, self.reached.done))
        self.reached = event

    def bar(self) -> tuple[int, int]:
        """Position and end of the progress bar."""
        event = self.reached
        if event is None:
            return 0, 1
        return self._position(event, event.done), event.total if event.pieces == 1 else STEPS

    @staticmethod
    def _position(event: Advanced, done: int) -> int:
        return done if event.pieces == 1 else round(STEPS * (event.piece + done / event.total) / event.pieces)

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
        if self._before < done < total and elapsed > 1:
            words += f" · {time_left(elapsed / (done - self._before) * (total - done))}"
        return words

    def saying(self, event: Event) -> str:
        """What the status line says of an event; empty where nothing."""
        match event:
            case Note():
                return event.text
            case Found() if event.words or event.place:
                return (event.words or f"Predicting {self._what} ...") + self._place()
            case Separating():
                return "Telling the cells of a large plane apart ..."
            case Completing():
                share = f" {100 * event.done // event.total} %" if event.done else ""
                return f"All of it is predicted: smaller levels for overviews are being added ...{share}"
        return ""

    def closing_words(self, stopped: bool) -> str:
        """One line about what came of it."""
        event = self.reached
        if stopped:
            if not self.wrote:
                return "Cancelled before anything was finished."
            amount = f" ({self._written} of {event.total:,})" if event is not None and self._written else ""
            return f"Cancelled: what was predicted{amount} stays.{self._goes_on()}{self._place()}"
        what = self._what
        if event is None and self._found and all(found.complete for found in self._found):
            were = "were" if self.what == IMAGES else "was"
            again = " Remove it there to predict it again."
            said = f"{what[0].upper()}{what[1:]} {were} predicted before.{self._place()}{again}"
            return " ".join([said, *self._left_out])
        n_cells = event.n_cells if event is not None else None
        found = "" if n_cells is None else f": {n_cells:,} cell{'' if n_cells == 1 else 's'}"
        took = duration(time.monotonic() - self._started)
        parts = [f"Predicted {what} in {took}{found}.{self._place()}", self._note, *self._left_out]
        return " ".join(part for part in parts if part)

    def failed_words(self) -> str:
        """Why it failed, and what is left of it."""
        return self.failed + self._goes_on()

    def _goes_on(self) -> str:
        return " The same button goes on from there." if self.wrote and self.what != VIEW else ""

    def _place(self) -> str:
        places = [found.place for found in self._found if found.place is not None]
        if not places:
            return ""
        return f" It is kept in {places[0] if len(places) == 1 else places[0].parent}."
