"""The written files: complete packages or none, no records of the data, and observed ranges only as comments."""

import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import BINARY, serve
from data import mixed, numbers, target
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import predict_once
from predict_once import ExportError, package


def tree(X: pd.DataFrame, depth: int = 4) -> Any:
    return DecisionTreeClassifier(max_depth=depth, random_state=0).fit(X, target(X, "binary"))


def one_hot(X: pd.DataFrame, **options: Any) -> Any:
    steps = make_column_transformer((OneHotEncoder(**options), ["city"]), (StandardScaler(), ["a"]))
    return make_pipeline(steps, LogisticRegression()).fit(X, target(X, "binary"))


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def golden(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "golden.jsonl").read_text().splitlines()]


def test_an_existing_package_is_left_alone_unless_asked(tmp_path: Path) -> None:
    X = numbers()
    directory = tmp_path / "package"
    predict_once.export(tree(X), X, directory, target="outcome")
    before = contents(directory)
    with pytest.raises(ExportError, match="overwrite=True"):
        predict_once.export(tree(X, depth=2), X, directory, target="outcome")
    assert contents(directory) == before
    (directory / "train.py").write_text("# stays")
    predict_once.export(tree(X, depth=2), X, directory, target="outcome", overwrite=True)
    assert (directory / "model.onnx").read_bytes() != before["model.onnx"]
    assert sorted(contents(directory)) == sorted([*before, "train.py"])


def test_a_directory_of_other_files_is_filled(tmp_path: Path) -> None:
    X = numbers()
    (tmp_path / "train.py").write_text("# stays")
    predict_once.export(tree(X), X, tmp_path, target="outcome")
    assert sorted(contents(tmp_path)) == ["golden.jsonl", "model.onnx", "model.toml", "train.py"]


@pytest.mark.parametrize("directory", ["package", "package/inner"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_with_the_name_of_the_directory_is_left_alone(overwrite: bool, directory: str, tmp_path: Path) -> None:
    X = numbers()
    (tmp_path / "package").write_text("mine")
    with pytest.raises(ExportError, match=r"/package is not a directory"):
        predict_once.export(tree(X), X, tmp_path / directory, target="outcome", overwrite=overwrite)
    assert (tmp_path / "package").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_full_disk_leaves_no_partial_package(overwrite: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X = numbers()
    directory = tmp_path / "package"
    if overwrite:
        predict_once.export(tree(X), X, directory, target="outcome")
    before = contents(directory) if overwrite else None
    written: list[Path] = []

    def fails(file: Path, content: bytes) -> None:
        written.append(file)
        if len(written) == 2:
            raise OSError("no space left on device")
        file.touch()

    monkeypatch.setattr(package.Path, "write_bytes", fails)
    with pytest.raises(OSError, match="no space"):
        predict_once.export(tree(X, depth=2), X, directory, target="outcome", overwrite=overwrite)
    monkeypatch.undo()
    assert len(written) == 2
    assert [file.name for file in tmp_path.iterdir()] == (["package"] if overwrite else [])
    assert (contents(directory) if overwrite else None) == before


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    X = mixed()
    for name in ("one", "other"):
        predict_once.export(one_hot(X), X, tmp_path / name, target="outcome")
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_a_package_passes_the_check_of_the_service(tmp_path: Path) -> None:
    X = mixed(missing=True).drop(columns=["city"])
    steps = make_column_transformer((OneHotEncoder(), ["type of flat"]), ("passthrough", ["a", "d", "count", "new"]))
    model = make_pipeline(steps, DecisionTreeClassifier(max_depth=5, random_state=0)).fit(X, target(X, "classes"))
    predict_once.export(
        model,
        X,
        tmp_path / "package",
        target="Größe / Art",
        title='A "title"',
        description='First.\n\nA """quote""" and a \\.',
        descriptions={"a": "Says *what*."},
        units={"count": "pieces"},
        bounds={"count": (0, 12), "d": (None, 2.5)},
    )
    checked = subprocess.run([BINARY, "check", tmp_path / "package"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    written = tomllib.loads((tmp_path / "package/model.toml").read_text())
    assert (written["title"], written["description"]) == ('A "title"', 'First.\n\nA """quote""" and a \\.')
    fields = {field["name"]: field for field in written["fields"]}
    assert fields["a"]["description"] == "Says *what*."
    assert (fields["count"]["unit"], fields["count"]["minimum"], fields["count"]["maximum"]) == ("pieces", 0, 12)
    assert {name: field["type"] for name, field in fields.items()} == {
        "a": "number",
        "d": "number",
        "count": "integer",
        "type of flat": "string",
        "new": "boolean",
    }


def test_golden_rows_are_not_records_of_the_data(tmp_path: Path) -> None:
    X = numbers()
    predict_once.export(tree(X), X, tmp_path / "package", target="outcome")
    rows = [row["input"] for row in golden(tmp_path / "package")]
    records = {tuple(row) for row in X.to_numpy().tolist()}
    assert len(rows) == 200
    assert not any(tuple(row.get(name) for name in X.columns) in records for row in rows)


def test_examples_are_medians_and_most_frequent_values(tmp_path: Path) -> None:
    X = mixed()
    predict_once.export(one_hot(X), X, tmp_path / "package", target="outcome")
    [typical, mistake] = tomllib.loads((tmp_path / "package/model.toml").read_text())["examples"]
    assert typical["input"] == {"a": pytest.approx(X["a"].median(), rel=1e-3), "city": X["city"].mode()[0]}
    assert mistake["valid"] is False


def test_observed_ranges_are_comments_and_bounds_are_rules(tmp_path: Path) -> None:
    X = numbers()
    predict_once.export(tree(X), X, tmp_path / "free", target="outcome")
    text = (tmp_path / "free/model.toml").read_text()
    assert f"# observed: {X['count'].min()} to {X['count'].max()}\n" in text
    assert "minimum" not in text and "maximum" not in text
    beyond = X.iloc[0].to_dict() | {"count": 1_000}
    with serve(tmp_path / "free") as client:
        client.answer("outcome", beyond, status=200)
    predict_once.export(tree(X), X, tmp_path / "bound", target="outcome", bounds={"count": (0, 100)})
    with serve(tmp_path / "bound") as client:
        refusal = client.answer("outcome", beyond, status=422)
    assert "from 0 to 100" in json.dumps(refusal)


def test_bounds_from_the_data_are_written_as_numbers(tmp_path: Path) -> None:
    X = numbers()
    bounds: Any = {"count": (X["count"].min(), X["count"].max()), "a": (X["a"].min(), np.float32(8))}
    predict_once.export(tree(X), X, tmp_path / "package", target="outcome", bounds=bounds)
    fields = {field["name"]: field for field in tomllib.loads((tmp_path / "package/model.toml").read_text())["fields"]}
    assert (fields["count"]["minimum"], fields["count"]["maximum"]) == (X["count"].min(), X["count"].max())
    assert (fields["a"]["minimum"], fields["a"]["maximum"]) == (X["a"].min(), 8)


def test_golden_rows_and_examples_keep_to_the_bounds(tmp_path: Path) -> None:
    X = numbers()
    predict_once.export(tree(X), X, tmp_path / "package", target="outcome", bounds={"count": (None, 5), "a": (1, None)})
    inputs = [row["input"] for row in golden(tmp_path / "package")]
    assert all(row["count"] <= 5 and row["a"] >= 1 for row in inputs)
    assert subprocess.run([BINARY, "check", tmp_path / "package"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("bounds", "part"),
    [
        ({"count": (5, 1)}, "lower end comes first"),
        ({"count": (0.5, None)}, "whole numbers"),
        ({"count": 3}, "Pass two numbers"),
        ({"a": (np.nan, None)}, "Pass two numbers"),
        ({"a": (1e6, None)}, "no value within"),
        ({"nothing": (0, 1)}, "'nothing'"),
    ],
    ids=["turned-round", "half", "no-pair", "nan", "elsewhere", "unknown"],
)
def test_bounds_that_the_service_would_refuse_are_refused(bounds: Any, part: str, tmp_path: Path) -> None:
    X = numbers()
    with pytest.raises(ExportError, match=part):
        predict_once.export(tree(X), X, tmp_path / "package", target="outcome", bounds=bounds)
    assert not list(tmp_path.iterdir())


def test_categories_of_the_data_are_rules_unless_the_encoder_ignores_others(tmp_path: Path) -> None:
    X = mixed()
    row = {"a": 0.5, "city": "Warszawa"}
    predict_once.export(one_hot(X), X, tmp_path / "closed", target="outcome")
    with serve(tmp_path / "closed") as client:
        refusal = client.answer("outcome", row, status=422)
    assert "Gdańsk" in json.dumps(refusal, ensure_ascii=False)
    model = one_hot(X, handle_unknown="ignore")
    predict_once.export(model, X, tmp_path / "open", target="outcome")
    other = X.head(1).assign(**row)
    with serve(tmp_path / "open") as client:
        probabilities = list(client.ask("outcome_probabilities", row).values())
    assert probabilities == pytest.approx(model.predict_proba(other)[0], abs=1e-5)


def test_what_the_owner_wrote_stays_when_the_model_is_exported_again(tmp_path: Path) -> None:
    X = mixed()
    model = one_hot(X, handle_unknown="ignore")
    directory = tmp_path / "package"
    predict_once.export(model, X, directory, target="outcome", kinds=["probability"])
    file = directory / "model.toml"
    first = tomllib.loads(file.read_text())
    [city] = [field for field in first["fields"] if field["name"] == "city"]
    lowest = float(X["a"].min())
    written = (
        file.read_text()
        .replace('name = "outcome"\n', 'name = "outcome"\ntitle = "Outcomes"\n', 1)
        .replace('name = "a"\n', f'name = "a"\nunit = "m"\ndescription = "The height."\nexclusive_minimum = {lowest}\n')
        .replace(f'["{city["values"][0]}"', f'[{{ name = "{city["values"][0]}", aliases = ["first"] }}', 1)
        .replace('endpoint = "outcome_probability"', 'endpoint = "chances"')
        .replace('summary = "', 'summary = "How likely it is: ')
        .replace("[[fields]]", '[input]\nname = "Place"\n\n[[fields]]', 1)
    )
    file.write_text(written)
    predict_once.export(model, X, directory, target="outcome", kinds=["probability"], units={"a": "ft"}, overwrite=True)
    again = tomllib.loads(file.read_text())
    [a] = [field for field in again["fields"] if field["name"] == "a"]
    assert (again["title"], again["input"]["name"]) == ("Outcomes", "Place")
    assert (a["unit"], a["description"], a["exclusive_minimum"]) == ("ft", "The height.", lowest)
    assert "minimum" not in a
    assert all(row["input"].get("a") != lowest for row in golden(directory))
    [renamed] = [field for field in again["fields"] if field["name"] == "city"]
    assert renamed["values"] == [{"name": city["values"][0], "aliases": ["first"]}, *city["values"][1:]]
    assert again["predictions"][0]["endpoint"] == "chances"
    assert again["predictions"][0]["summary"] == "How likely it is: " + first["predictions"][0]["summary"]
    subprocess.run([BINARY, "check", directory], check=True, capture_output=True)

    # The model says which fields and values exist.
    other = X.assign(city=X["city"].replace({city["values"][0]: "elsewhere"}))
    predict_once.export(one_hot(other), other, directory, target="outcome", kinds=["probability"], overwrite=True)
    [changed] = [field for field in tomllib.loads(file.read_text())["fields"] if field["name"] == "city"]
    assert "elsewhere" in changed["values"] and city["values"][0] not in map(str, changed["values"])
    assert changed.get("unknown") is None
    file.write_text("name = ")
    with pytest.raises(ExportError, match=r"model.toml cannot be read.*Correct or delete it"):
        predict_once.export(one_hot(other), other, directory, target="outcome", overwrite=True)
