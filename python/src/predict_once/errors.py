"""The exception that `export` raises."""


class ExportError(ValueError):
    """The model cannot be exported as asked. The message says what to do instead."""


class Disagreement(ExportError):
    """The package answers otherwise than the library."""
