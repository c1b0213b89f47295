from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from napari_annotrain.errors import AnnotrainError, is_out_of_memory


class Failures:
    """The files of a folder that could not be used: one bad file is reported, the others go on.

    Parameters
    ----------
    tell
        Called with one sentence about each of them.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.names: list[str] = []
        self.first: Exception | None = None

    @contextmanager
    def noting(self, name: str) -> Iterator[None]:
        """Turn a mistake of the user or a lack of memory inside the block into a note; other errors go on."""
        try:
            yield
        except (AnnotrainError, MemoryError, RuntimeError) as error:
            if isinstance(error, AnnotrainError):
                text = str(error)
            elif is_out_of_memory(error):
                text = f"There is not enough memory for {name}: close other programs or give a smaller tile."
            else:
                raise
            self.first = self.first or AnnotrainError(text)
            self.names.append(name)
            self._tell(text)


def first_words(names: Sequence[str], most: int = 10) -> list[str]:
    """The first few names, and how many more there are."""
    return [*names[:most], *([f"and {len(names) - most} more"] if len(names) > most else [])]


def left_out(names: Sequence[str], total: int, what: str) -> str:
    """Sentence on the files that could not be used, such as "2 of 5 images could not be predicted: a.tif, b.tif."."""
    return f"{len(names)} of {total} {what}: {', '.join(first_words(names))}."
