"""The running service with each transformer in front of a linear model, which calculates with its output, and of trees."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import serve
from data import numbers, target
from served import assert_served, fitted
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PolynomialFeatures
from sklearn.tree import DecisionTreeClassifier
from transformers import TRANSFORMERS, behind, positive

import predict_once
from predict_once.class_names import class_names
from predict_once.columns.functions import FUNCTIONS
from predict_once.columns.transformers import MODULES


def kind_of(name: str) -> str:
    """A linear model and trees by turns: `run --matrix` tests both behind each."""
    possible = TRANSFORMERS[name].only or ("classes", "binary")
    return possible[list(TRANSFORMERS).index(name) % len(possible)]


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_model_behind_a_transformer_is_served_as_it_predicts(name: str, tmp_path: Path) -> None:
    X = TRANSFORMERS[name].X()
    model, labels = fitted(behind(name, kind_of(name)), X, kind_of(name))
    assert_served(model, X, tmp_path, labels)


def test_every_supported_transformer_is_tested() -> None:
    steps = [step for entry in TRANSFORMERS.values() for step in parts(entry.step)]
    tried = {name.split(".")[-1] for step in steps for name in class_names(step)}
    # test_text_columns.py has it, and test_lookups.py all of category_encoders.
    tried.add("TfidfTransformer")
    assert {name.removeprefix("sklearn.") for name in MODULES if name.startswith("sklearn.")} <= tried


def parts(step: Any) -> list[Any]:
    """The transformers in a Pipeline or a ColumnTransformer."""
    inner = [part for _, part in getattr(step, "steps", [])] + [part for _, part, _ in getattr(step, "transformers", [])]
    return [step] + [deeper for part in inner for deeper in parts(part)]


def test_numpys_functions_are_served_as_numpy_computes_them(tmp_path: Path) -> None:
    X = pd.concat([positive()[["a"]].set_axis([name], axis=1) for name in FUNCTIONS], axis=1)
    each = [(name, FunctionTransformer(getattr(np, name)), [name]) for name in FUNCTIONS]
    model = make_pipeline(ColumnTransformer(each), Ridge())
    assert_served(model.fit(X, target(numbers(), "regression")), X, tmp_path)


@pytest.mark.parametrize(
    "step",
    [
        FunctionTransformer(lambda X: X + 1),
        FunctionTransformer(np.nan_to_num),
        FunctionTransformer(np.log1p, kw_args={"where": True}),
    ],
    ids=["lambda", "nan_to_num", "kw_args"],
)
def test_any_other_function_is_refused_by_name(step: Any, tmp_path: Path) -> None:
    X = positive()
    model = make_pipeline(step, Ridge()).fit(X, target(X, "regression"))
    with pytest.raises(predict_once.ExportError, match=r"FunctionTransformer.*applies '.*', a Python function"):
        predict_once.export(model, X, tmp_path / "package", target="outcome")


def test_a_logarithm_bounds_its_field(tmp_path: Path) -> None:
    X = positive()
    model = make_pipeline(FunctionTransformer(np.log), Ridge()).fit(X, target(X, "regression"))
    report = predict_once.export(model, X, tmp_path / "package", target="outcome")
    assert {field["name"]: (field.get("exclusive_minimum"), field.get("minimum")) for field in report.fields} == {
        "a": (0.0, None),
        "b b": (0.0, None),
        "größe": (0.0, None),
        "d": (0.0, None),
        "count": (None, 1),
    }
    with serve(tmp_path / "package") as client:
        client.answer("outcome", X.iloc[0].to_dict() | {"count": 1, "a": 0}, status=422)
        client.answer("outcome", X.iloc[0].to_dict() | {"count": 1, "a": 5e-324})


def test_a_logarithm_bounds_nothing_where_trees_read_its_nan(tmp_path: Path) -> None:
    X = numbers()
    model = make_pipeline(FunctionTransformer(np.sqrt), HistGradientBoostingRegressor(max_iter=5))
    model.fit(X, target(X, "regression"))
    report = predict_once.export(model, X, tmp_path / "package", target="outcome")
    assert not any("minimum" in field for field in report.fields)
    assert_served(model, X, tmp_path)


def test_what_a_logarithm_makes_of_a_negative_number_can_be_imputed(tmp_path: Path) -> None:
    X = numbers(missing=True)
    model = make_pipeline(FunctionTransformer(np.sqrt), SimpleImputer(add_indicator=True), Ridge())
    assert_served(model.fit(X, target(X, "regression")), X, tmp_path)


def test_products_of_indicators_and_numbers_are_served_as_they_are_predicted(tmp_path: Path) -> None:
    X = numbers().assign(city=np.where(numbers()["a"] > 0, "Kraków", "Łódź"))
    encoded = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    model = make_pipeline(encoded, PolynomialFeatures(2), LogisticRegression(max_iter=2000))
    assert_served(model.fit(X, target(numbers(), "classes")), X, tmp_path)


def test_powers_bound_what_a_forest_reads_as_float32(tmp_path: Path) -> None:
    X = numbers()[["a", "count"]]
    model = make_pipeline(PolynomialFeatures(3), DecisionTreeClassifier(max_depth=3)).fit(X, target(numbers(), "binary"))
    report = predict_once.export(model, X, tmp_path / "package", target="outcome")
    [_, count] = report.fields
    bound = int(count["maximum"])
    assert np.isfinite(np.float32(float(bound) ** 3)) and not np.isfinite(np.float32((bound + 1.0) ** 3))


def test_many_columns_behind_one_function_are_exported_in_seconds(tmp_path: Path) -> None:
    X = pd.DataFrame(np.abs(np.random.default_rng(0).normal(size=(60, 150))), columns=[f"c{index}" for index in range(150)])
    model = make_pipeline(FunctionTransformer(np.log), Ridge())
    asked = []
    model.fit(X, X["c0"])
    predict = model.predict
    model.predict = lambda rows: asked.append(len(rows)) or predict(rows)
    report = predict_once.export(model, X, tmp_path / "package", target="outcome")
    assert {field["exclusive_minimum"] for field in report.fields} == {0.0}
    assert len(asked) < 40  # not for each column
