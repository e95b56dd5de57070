"""Writes model.toml in a form that people can read and edit."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import ExportError
from .types import plain

WIDTH = 110


def document(tables: Sequence[tuple[str, Mapping[str, Any], Sequence[str]]]) -> str:
    """A document of tables: each with its header ("" for the top, "[golden]", "[[fields]]"), entries and comments."""
    blocks = []
    for header, entries, comments in tables:
        lines = [header] if header else []
        lines += [f"# {comment}" for comment in comments]
        for key, value in entries.items():
            if isinstance(value, str) and "\n" in value:
                lines.append(f"{key} = {multi_line(value)}")
                continue
            if isinstance(value, Sequence) and not isinstance(value, str):
                lines.append(f"{key_of(key)} = {array(value)}")
            else:
                lines.append(f"{key_of(key)} = {inline(value)}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def array(values: Sequence[Any]) -> str:
    """An array, on one line if it fits, else with a line for each entry."""
    one_line = inline(values)
    if len(one_line) <= WIDTH:
        return one_line
    return "[\n" + "".join(f"  {inline(value)},\n" for value in values) + "]"


def inline(value: Any) -> str:
    value = plain(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key_of(key)} = {inline(entry)}" for key, entry in value.items()) + " }" if value else "{}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(inline(entry) for entry in value) + "]"
    if isinstance(value, int) and abs(value) >= 2**63:  # TOML's integers have 64 bits
        return repr(float(value))
    if isinstance(value, (int, float)):
        return repr(value)
    raise ExportError(f"model.toml cannot hold {value!r} of type {type(value).__name__}.")


def text(value: str) -> str:
    """A basic string. TOML escapes what JSON escapes, and the delete character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def multi_line(value: str) -> str:
    escaped = "\n".join(text(line)[1:-1].replace('\\"', '"') for line in value.split("\n"))
    return '"""\n' + escaped.replace('"""', '""\\"') + ('\\\n"""' if escaped.endswith('"') else '"""')


def key_of(key: str) -> str:
    """A key, in quotes if it needs them."""
    bare = key and all(char.isascii() and (char.isalnum() or char in "_-") for char in key)
    return key if bare else text(key)
