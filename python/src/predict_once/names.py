"""Names of packages, endpoints and schemas, from those of the data."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import ExportError
from .types import Field, Prediction

RESERVED_ENDPOINTS = ("docs", "openapi.json", "health", "metrics")
RESERVED_SCHEMAS = ("Problem", "FieldError")
TRANSLITERATED = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "þ": "th", "Æ": "AE", "Ø": "O", "Ł": "L"})


def slug(text: str, what: str) -> str:
    """The text with nothing but A-Z, a-z, 0-9, `_` and `-`: accents go, anything else becomes `_`."""
    plain = unicodedata.normalize("NFKD", text.translate(TRANSLITERATED)).encode("ascii", "ignore").decode()
    result = re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_")
    if not result:
        raise ExportError(f"{text!r} has no letter that a path can have. Pass {what}.")
    return result


def package_name(text: str) -> str:
    """A name for logs: lower case, beginning with a letter, at most 64 characters."""
    name = slug(text, "name='…'").lower()
    name = name if name[0].isalpha() else f"model_{name}"
    return name[:64].rstrip("_-")


def pascal_case(text: str) -> str:
    """A schema's name."""
    words = re.split(r"[_\-]+", slug(text, "another target"))
    return "".join(word[:1].upper() + word[1:] for word in words if word)


def check_prediction_name(name: str) -> None:
    """The name is part of the cache key and a member of the answer."""
    if not name or len(name) > 64 or ":" in name or any(unicodedata.category(char) == "Cc" for char in name):
        raise ExportError(
            f"{name!r} cannot be the name of a prediction: that has 1 to 64 characters, no colon and no control characters. "
            "Pass another target."
        )


def check_names(fields: Sequence[Field], predictions: Sequence[Prediction], package: str) -> None:
    """Nothing is there twice, and nothing has a name that the service has taken."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", package):
        raise ExportError(f"name={package!r}: a package's name is a-z, 0-9, _ and -, starts with a letter, and has at most 64 characters.")
    twice([field["name"] for field in fields], "two fields have the name")
    twice([prediction["name"] for prediction in predictions], "two predictions have the name")
    twice([prediction["endpoint"] for prediction in predictions], "two predictions have the endpoint")
    for prediction in predictions:
        check_prediction_name(prediction["name"])
        endpoint = prediction["endpoint"]
        if endpoint in RESERVED_ENDPOINTS:
            raise ExportError(f"the endpoint /{endpoint} belongs to the service. Pass endpoints={{{prediction['kind']!r}: '…'}} or another target.")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", endpoint):
            raise ExportError(f"the endpoint {endpoint!r} may have only A-Z, a-z, 0-9, _ and -.")


def twice(names: Sequence[str], what: str) -> None:
    """Stops at the first name that is there twice."""
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ExportError(f"{what} {name!r}. Each needs its own.")


def known_keys(given: Mapping[str, Any], known: Sequence[str], argument: str) -> None:
    """Stops at a key that names nothing."""
    for key in given:
        if key not in known:
            raise ExportError(f"{argument} names {key!r}, which there is not. There are: {', '.join(map(repr, known))}.")
