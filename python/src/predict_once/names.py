"""Derives the names of packages, endpoints and schemas from names in the data."""

import re
import unicodedata
from collections.abc import Collection

from .errors import ExportError

RESERVED_ENDPOINTS = ("docs", "openapi.json", "health", "ready", "metrics")
RESERVED_SCHEMAS = ("Problem", "FieldError")
INPUT_SCHEMA = "Input"  # the service's default
TRANSLITERATED = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "þ": "th", "Æ": "AE", "Ø": "O", "Ł": "L"})


def slug(text: str, what: str) -> str:
    """The text reduced to A-Z, a-z, 0-9, `_` and `-`: accents are dropped, other characters become `_`."""
    plain = unicodedata.normalize("NFKD", text.translate(TRANSLITERATED)).encode("ascii", "ignore").decode()
    result = re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_")
    if not any(char.isalnum() for char in result):
        raise ExportError(f"{text!r} contains no letter or digit that a path can have. Pass {what}.")
    return result


def package_name(text: str) -> str:
    """The default name of a package: lower case, beginning with a letter, at most 64 characters."""
    name = slug(text, "name='…'").lower()
    name = name if name[0].isalpha() else f"model_{name}"
    return name[:64].rstrip("_-")


def pascal_case(text: str) -> str:
    """The schema's name that the service derives from a prediction's name."""
    words = re.split(r"[^A-Za-z0-9]+", text)
    return "".join(word[:1].upper() + word[1:] for word in words)


def schema_name(endpoint: str, kind: str, taken: Collection[str]) -> str:
    """A schema's name that is not taken: the endpoint's, with a suffix if needed."""
    name = pascal_case(endpoint)
    candidates = (name, f"{name}Prediction", f"{name}{kind.capitalize()}")
    return next(candidate for candidate in candidates if candidate not in (*taken, *RESERVED_SCHEMAS, INPUT_SCHEMA))
