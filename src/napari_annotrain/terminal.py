"""What a person at a terminal sees of a run."""

from collections.abc import Callable

from napari_annotrain.events import (
    BlockDone,
    Completing,
    Computed,
    Event,
    Failed,
    Measured,
    Note,
    Separating,
    Started,
    Step,
    TileDone,
    Validated,
)


class Progress:
    """Shows events on stderr: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._done, self._tiles = 0, False

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
            case Measured(n=n, done=done, total=total):
                self._bar.update(self._task, completed=done / total, description=f"{n:,} objects")
            case Separating():
                self._bar.update(self._task, description="telling cells apart")
            case Completing(done=done, total=total):
                self._bar.update(self._task, completed=done / total, description="adding smaller levels")

    def _advance(self, event: BlockDone | Computed | TileDone) -> None:
        """Show how many tiles or blocks are done; a plane of cells tells so after tiles of the next one."""
        self._tiles = self._tiles or not isinstance(event, BlockDone)
        self._done = max(self._done, event.done)
        what = f"{'tile' if self._tiles else 'block'} {self._done} of {event.total}"
        self._bar.update(self._task, completed=self._done / event.total, description=what)

    def _say(self, text: str) -> None:
        # As it stands: a name such as "cells [raw].tif" is no markup, and a path is not to be broken into lines.
        self._bar.console.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)
