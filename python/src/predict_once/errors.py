"""The one exception of this package."""


class ExportError(ValueError):
    """The model cannot be exported as asked. The message says what to do instead."""
