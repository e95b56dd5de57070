"""The cases of tests/packages/rules.toml, which the service is tested with too: both sides allow and refuse the same packages."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from predict_once import ExportError
from predict_once.package import Package
from predict_once.rules import check_package
from predict_once.types import Field, Prediction

RULES = tomllib.loads((Path(__file__).resolve().parents[2] / "tests/packages/rules.toml").read_text(encoding="utf-8"))


def package(**changed: Any) -> Package:
    arguments = {"name": "rules", "fields": [field("a")], "predictions": [prediction("a")]} | changed
    return Package(onnx.ModelProto(), **arguments)


def field(name: str, **entries: Any) -> Field:
    return {"name": name, "type": "number", **entries}  # type: ignore[typeddict-item]


def prediction(name: str, **entries: Any) -> Prediction:
    return {"name": name, "endpoint": "a", "schema": "A", "kind": "value", **entries}  # type: ignore[typeddict-item]


def text_field(values: list[Any]) -> Package:
    return package(fields=[field("a", type="string", values=values)])


def classes(values: list[Any]) -> Package:
    return package(predictions=[prediction("a", kind="class", values=values)])


def ten_fields(count: int) -> Package:
    """Ten fields with so many values in all; the remainder are aliases."""
    share, others = divmod(count, 10)
    first = {"name": "first", "aliases": [f"a{number}" for number in range(others)]}
    return package(
        fields=[
            field(name, type="string", values=[first if name == "n0" else "first", *numbered(share - 1)]) for name in numbered(10)
        ]
    )


def numbered(count: int) -> list[str]:
    return [f"n{number}" for number in range(count)]


def several(key: str, values: list[str]) -> Package:
    """A prediction for each value of a key, with other keys that differ."""
    others = [{"name": f"p{n}", "endpoint": f"e{n}", "schema": f"S{n}"} for n in range(len(values))]
    return package(predictions=[prediction(**(other | {key: value})) for other, value in zip(others, values, strict=True)])


PACKAGES: dict[str, Callable[[Any], Package]] = {
    "package_name": lambda name: package(name=name),
    "input_name": lambda name: package(input={"name": name}),
    "field_name": lambda name: package(fields=[field(name)]),
    "field_names": lambda names: package(fields=[field(name) for name in names]),
    "number_of_fields": lambda count: package(fields=[field(name) for name in numbered(count)]),
    "value": lambda value: text_field([value]),
    "alias": lambda alias: text_field([{"name": "other", "aliases": [alias]}]),
    "values": text_field,
    "number_of_values": lambda count: text_field(numbered(count)),
    "number_of_all_values": ten_fields,
    "unknown_fields": lambda unknown: package(input={"unknown_fields": unknown}),
    "prediction_name": lambda name: package(predictions=[prediction(name)]),
    "prediction_names": lambda names: several("name", names),
    "number_of_predictions": lambda count: several("name", numbered(count)),
    "endpoint": lambda endpoint: package(predictions=[prediction("a", endpoint=endpoint)]),
    "endpoints": lambda endpoints: several("endpoint", endpoints),
    "schema": lambda schema: package(predictions=[prediction("a", schema=schema)]),
    "name_without_schema": lambda name: package(predictions=[{"name": name, "endpoint": "a", "kind": "value"}]),
    "schemas": lambda schemas: package(input={"name": schemas[0]}, predictions=several("schema", schemas[1:]).predictions),
    "class": lambda label: classes([label, "other"]),
    "classes": classes,
    "number_of_classes": lambda count: classes(numbered(count)),
    "number_bounds": lambda bounds: package(fields=[field("a", **bounds)]),
    "integer_bounds": lambda bounds: package(fields=[field("a", type="integer", **bounds)]),
    "boolean_bounds": lambda bounds: package(fields=[field("a", type="boolean", **bounds)]),
    "string_bounds": lambda bounds: package(fields=[field("a", type="string", values=["a"], **bounds)]),
    "date_bounds": lambda bounds: package(fields=[field("a", type="date", **bounds)]),
    "datetime_bounds": lambda bounds: package(fields=[field("a", type="datetime", **bounds)]),
    "example_name": lambda name: package(examples=[{"name": name, "input": {}}]),
    "example_names": lambda names: package(examples=[{"name": name, "input": {}} for name in names]),
    "tolerance": lambda tolerance: package(tolerance=tolerance),
    "max_other_class": lambda share: package(max_other_class=share),
}


def expanded(value: Any) -> Any:
    """A case's value, with `{ repeat = "a", times = 3 }` written out."""
    return value["repeat"] * value["times"] if isinstance(value, dict) and "repeat" in value else value


@pytest.mark.parametrize("rule", RULES)
def test_the_exporter_allows_and_refuses_what_the_rules_say(rule: str) -> None:
    for value in map(expanded, RULES[rule]["allowed"]):
        check_package(PACKAGES[rule](value))
    for value in map(expanded, RULES[rule]["refused"]):
        with pytest.raises(ExportError):
            check_package(PACKAGES[rule](value))
            pytest.fail(f"{value!r} is allowed")
