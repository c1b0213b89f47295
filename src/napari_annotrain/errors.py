from typing import Any


class AnnotrainError(ValueError):
    """Something the user can mend; its text is one plain sentence that says what to do.

    The command line prints the text and exits with 2; the panel shows it in its status line.
    """


class PartlyDone(AnnotrainError):
    """Some files of a folder could not be used; the others are done.

    Attributes
    ----------
    result
        What the verb would have returned: a model, the paths that were written, or scores.
    """

    def __init__(self, text: str, result: Any) -> None:
        super().__init__(text)
        self.result = result


def is_out_of_memory(error: BaseException) -> bool:
    """Tell that memory ran out, on the computer or its GPU, in Python's way and in all of torch's; torch is not needed.

    On a GPU torch has a type of its own; on the CPU it is a RuntimeError, worded by the system and by the library.
    """
    words = ("out of memory", "not enough memory", "can't allocate memory", "alloc_cpu", "could not allocate")
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words))
    )
