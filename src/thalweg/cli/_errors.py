"""The command line's own error."""


class CliError(Exception):
    """Something that the user can mend, found before the library was even loaded."""

    def __init__(self, message: str, hint: str | None = None):
        super().__init__(message)
        self.message = message
        self.hint = hint
