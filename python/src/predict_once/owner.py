"""What the owner of a package wrote into its model.toml by hand: a new export keeps it, and renews what the model says."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .columns.variables import Variable
from .errors import ExportError
from .package import Package
from .types import Golden, name_of

TOP = ("title", "description")
FIELD = ("description", "unit", "hint", "reason")
PREDICTION = ("endpoint", "schema", "summary", "description", "meaning", "top")
VALUE = ("description", "aliases", "boolean")
EXCLUSIVE = {"exclusive_minimum": "minimum", "exclusive_maximum": "maximum"}
BOUNDED = ("number", "integer", "date", "datetime")
Table = Mapping[str, Any]


@dataclass
class Owner:
    """The tables of the package that is replaced."""

    top: Table = field(default_factory=dict)
    fields: Mapping[str, Table] = field(default_factory=dict)
    predictions: Mapping[str, Table] = field(default_factory=dict)

    @classmethod
    def of(cls, directory: Path) -> "Owner":
        """Of the package in this directory, if there is one."""
        file = directory / "model.toml"
        if not file.exists():
            return cls()
        try:
            tables = tomllib.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ExportError(
                f"{file} cannot be read, so what you wrote into it would be lost: {error}. Correct or delete it."
            ) from error
        named = {kind: {entry.get("name"): entry for entry in tables.get(kind, ())} for kind in ("fields", "predictions")}
        return cls(tables, named["fields"], named["predictions"])

    def files(self) -> list[str]:
        """The files that the model.toml names: those of the package itself."""
        named = [entry.get(key) for entry in self.fields.values() for key in ("tokenizer", "vectorizer", "preprocessor")]
        return [name for name in named if isinstance(name, str) and Path(name).name == name]

    def bounds(self, variables: Sequence[Variable]) -> dict[str, tuple[Any, Any]]:
        """The bounds of numbers and dates for which the model itself has none."""
        result = {}
        for variable in variables:
            table = self.fields.get(variable.name, {})
            if table.get("type") == variable.type and variable.type in BOUNDED and variable.bounds is None:
                ends = [table.get(key, table.get(f"exclusive_{key}")) for key in ("minimum", "maximum")]
                if ends != [None, None]:
                    result[variable.name] = (ends[0], ends[1])
        return result

    def keep(self, package: Package, given: Mapping[str, Collection[str]]) -> None:
        """Puts the owner's texts and spellings into the new package. `given`: keys of predictions that the caller chose."""
        package.title = package.title or self.top.get("title")
        package.description = package.description or self.top.get("description")
        package.input = {**self.top.get("input", {}), **package.input}
        package.fields = [{**entry, **self.of_field(entry)} for entry in package.fields]  # type: ignore[typeddict-item]
        package.predictions = [{**entry, **self.of_prediction(entry, given)} for entry in package.predictions]  # type: ignore[typeddict-item]
        for entry in package.fields:
            for exclusive, inclusive in EXCLUSIVE.items():
                limit = self.fields.get(entry["name"], {}).get(exclusive)
                if limit is not None and entry.get(inclusive) == limit:
                    entry[exclusive] = entry.pop(inclusive)  # type: ignore[literal-required, misc]
                    package.golden = [row for row in package.golden if differs(row, entry["name"], limit)]
                    if entry.get("example") == limit:
                        del entry["example"]

    def of_field(self, new: Table) -> dict[str, Any]:
        """What the owner wrote about a field."""
        old = self.fields.get(new["name"], {})
        result = kept(old, new, FIELD)
        if old.get("type") == new["type"] == "string":
            result["values"] = merged(old.get("values", ()), new["values"])
        return result

    def of_prediction(self, new: Table, given: Mapping[str, Collection[str]]) -> dict[str, Any]:
        """What the owner wrote about a prediction. The texts that an export writes follow from its name and kind."""
        old, theirs = self.predictions.get(new["name"], {}), given.get(new["name"], ())
        return {key: old[key] for key in PREDICTION if key in old and key not in theirs} if old.get("kind") == new["kind"] else {}


def kept(old: Table, new: Table, keys: Sequence[str]) -> dict[str, Any]:
    """The entries of `old` that `new` lacks."""
    return {key: old[key] for key in keys if key in old and key not in new}


def merged(old: Sequence[Any], new: Sequence[Any]) -> list[Any]:
    """The new values, described and spelt as the old ones of the same names."""
    tables = {value["name"]: value for value in old if isinstance(value, Mapping)}
    result: list[Any] = []
    for value in new:
        table = tables.get(name_of(value), {})
        texts = {key: table[key] for key in VALUE if key in table}
        result.append({**texts, **value} if isinstance(value, Mapping) else {"name": value, **texts} if texts else value)
    return result


def differs(row: Golden, name: str, limit: float) -> bool:
    return bool(row["input"].get(name) != limit)
