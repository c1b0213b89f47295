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
