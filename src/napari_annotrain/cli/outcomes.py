"""How a run ended, told in one sentence and an exit code."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cyclopts import CycloptsError
from pydantic import ValidationError

from napari_annotrain.errors import AnnotrainError, PartlyDone, is_out_of_memory

DONE, BAD_INPUT, INTERRUPTED = 0, 2, 130


def tell_outcome(work: Callable[[], object]) -> int:
    """Do the work, print what went wrong, and return the exit code; errors nobody foresaw pass through."""
    try:
        work()
    except CycloptsError as error:
        return _complain(_one_sentence(error))
    except AnnotrainError as error:
        return _complain(str(error))
    except (MemoryError, RuntimeError) as error:
        from napari_annotrain.api.memory import SHORT_OF_MEMORY

        if not is_out_of_memory(error):
            raise
        return _complain(SHORT_OF_MEMORY)
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or "Interrupted.", file=sys.stderr)
        return INTERRUPTED
    return DONE


@contextmanager
def telling_where(where: str) -> Iterator[None]:
    """Say at the end where the result is, also when some files of a folder had to be left out."""
    try:
        yield
    except PartlyDone:
        print(where)
        raise
    print(where)


def _complain(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return BAD_INPUT


def _one_sentence(error: CycloptsError) -> str:
    if isinstance(error.__cause__, ValidationError):
        first = error.__cause__.errors()[0]
        if not first["loc"]:  # several settings that do not go together
            return f"{first['msg'].removeprefix('Value error, ')}; see annotrain --help."
        option = "--" + str(first["loc"][-1]).replace("_", "-")
        return f"{option} cannot be {first['input']}: {first['msg'].lower()}; see annotrain --help."
    text = " ".join(str(error).split()).replace('"', "'")
    return "; ".join([*re.split(r"[.?!] +(?=[A-Z])", text.rstrip(".?! ")), "see annotrain --help."])
