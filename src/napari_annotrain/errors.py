class AnnotrainError(ValueError):
    """Something the user can mend; its text is one plain sentence that says what to do.

    The command line prints the text and exits with 2; the panel shows it in its status line.
    """
