"""What a person at a terminal sees of a run."""

from collections.abc import Callable

from napari_annotrain.events import (
    BlockDone,
    Completing,
    Computed,
    Entered,
    Event,
    Failed,
    Measured,
    Note,
    Searched,
    Separating,
    Started,
    Step,
    TileDone,
    Told,
    Validated,
)


class Progress:
    """Shows events on stderr: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._done, self._tiles = 0, False
        self._compared: list[tuple[str, float]] = []  # name and how far of each candidate

    def __enter__(self) -> Callable[[Event], None]:
        import rich.progress
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        console = Console(stderr=True)
        self._bar = rich.progress.Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task("reading", total=1.0)
        self._bar.start()
        return self._show

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def _show(self, event: Event) -> None:
        if isinstance(event, Entered | Told):
            self._show_candidate(event)
            return
        match event:
            case Started(what=what, device=device, precision=precision):
                self._done, self._tiles = 0, False
                self._say(f"{what} on {device}, {precision}")
            case Note(text=text) | Failed(sentence=text):
                self._say(text)
            case Step(fraction=fraction, loss=loss, step=step):
                self._bar.update(self._task, completed=fraction, description=f"step {step}, loss {loss:.3f}")
            case Validated(words=words, step=step):
                self._say(f"step {step}: validation {words}")
            case BlockDone() | Computed() | TileDone():
                self._advance(event)
            case _:
                self._show_other(event)

    def _show_other(self, event: Event) -> None:
        """Move the bar for work that is neither training nor tiles."""
        match event:
            case Measured(n=n, done=done, total=total):
                self._bar.update(self._task, completed=done / total, description=f"{n:,} objects")
            case Searched(done=done, total=total):
                self._bar.update(self._task, completed=done / total, description=f"{done} of {total}")
            case Separating():
                self._bar.update(self._task, description="telling cells apart")
            case Completing(done=done, total=total):
                self._bar.update(self._task, completed=done / total, description="adding smaller levels")

    def _show_candidate(self, told: Entered | Told) -> None:
        """Show what is told of one candidate of a comparison; the bar is that of all together."""
        if isinstance(told, Entered):
            self._compared.append((told.name, 0.0))
            return
        name, _ = self._compared[told.candidate]
        match told.event:
            case Started(device=device, precision=precision):
                self._say(f"{name}: training on {device}, {precision}")
            case Note(text=text) | Failed(sentence=text):
                self._say(f"{name}: {text}")
            case Step(fraction=fraction, step=step):
                self._compared[told.candidate] = name, fraction
                done = sum(share for _, share in self._compared) / len(self._compared)
                self._bar.update(self._task, completed=done, description=f"{name}, step {step}")
            case Validated(words=words, step=step):
                self._say(f"{name}, step {step}: validation {words}")

    def _advance(self, event: BlockDone | Computed | TileDone) -> None:
        """Show how many tiles or blocks are done; a plane of cells tells so after tiles of the next one."""
        self._tiles = self._tiles or not isinstance(event, BlockDone)
        self._done = max(self._done, event.done)
        what = f"{'tile' if self._tiles else 'block'} {self._done} of {event.total}"
        self._bar.update(self._task, completed=self._done / event.total, description=what)

    def _say(self, text: str) -> None:
        # As it stands: a name such as "cells [raw].tif" is no markup, and a path is not to be broken into lines.
        self._bar.console.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)
