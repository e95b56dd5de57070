"""The data as people hold it: matrices, nullable and Arrow types, other data frames, outputs as data frames."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import serve
from data import mixed, numbers, target
from lightgbm import LGBMClassifier
from served import assert_served
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import predict_once
from predict_once.estimator import as_frame


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(max_iter=5),
        RandomForestClassifier(5, random_state=0),
        LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1),
        make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
    ],
    ids=["histogram", "forest", "lightgbm", "linear"],
)
def test_nullable_numbers_are_served_as_they_are_predicted(model: Any, tmp_path: Path) -> None:
    X = numbers(missing=True).convert_dtypes(dtype_backend="numpy_nullable")
    assert {str(dtype) for dtype in X.dtypes} == {"Float64", "Int64"}
    assert_served(model.fit(X, target(numbers(missing=True), "binary")), X, tmp_path)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "Int8", "float32"])
def test_small_types_of_numbers_are_served_as_they_are_predicted(dtype: str, tmp_path: Path) -> None:
    X = numbers().astype({"count": dtype})
    assert_served(LogisticRegression(max_iter=1000).fit(X, target(numbers(), "binary")), X, tmp_path)


@pytest.mark.parametrize("dtype", ["string", "object", "category"])
def test_texts_of_any_type_are_served_as_they_are_predicted(dtype: str, tmp_path: Path) -> None:
    X = mixed().astype({"city": dtype, "type of flat": dtype})
    encoded = make_column_transformer((OneHotEncoder(), ["city", "type of flat"]), remainder="passthrough")
    model = make_pipeline(encoded, LogisticRegression(max_iter=1000))
    assert_served(model.fit(X, target(mixed(), "classes")), X, tmp_path)


def test_steps_that_output_data_frames_are_followed(tmp_path: Path) -> None:
    X = mixed()
    encoded = make_column_transformer((OrdinalEncoder(), ["city"]), (StandardScaler(), ["a", "b b"]), ("passthrough", ["new"]))
    model = make_pipeline(encoded, HistGradientBoostingClassifier(max_iter=5)).set_output(transform="pandas")
    assert_served(model.fit(X, target(X, "binary")), X, tmp_path)


class Frame:
    """What the exporter reads of a data frame of polars."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame, self.columns = frame, list(frame.columns)

    def to_dict(self, as_series: bool) -> dict[str, list[Any]]:
        assert not as_series
        return {name: [None if value is np.nan else value for value in self.frame[name]] for name in self.columns}


def test_other_data_frames_are_read_by_their_columns(tmp_path: Path) -> None:
    X = mixed()
    encoded = make_column_transformer((OneHotEncoder(), ["city"]), (StandardScaler(), ["a", "b b"]))
    model = make_pipeline(encoded, LogisticRegression()).fit(X, target(X, "binary"))
    report = predict_once.export(model, Frame(X), tmp_path / "package", target="outcome")
    assert [field["name"] for field in report.fields] == ["a", "b b", "city"]
    assert report.rows == len(X) and report.largest_difference < 1e-12


def test_null_in_a_polars_column_of_texts_is_none_as_scikit_learn_reads_it() -> None:
    X = pd.DataFrame({"city": pd.Series(["a", None, "b"], dtype=object), "n": [1.0, np.nan, 2.0]})
    frame = as_frame(Frame(X))
    assert frame["city"].tolist() == ["a", None, "b"] and np.isnan(frame["n"].iloc[1])


@pytest.mark.parametrize("last", [LogisticRegression(), RandomForestClassifier(5, random_state=0)], ids=["linear", "forest"])
def test_columns_named_by_whole_numbers_become_fields_of_these_names(last: Any, tmp_path: Path) -> None:
    X = numbers().drop(columns=["count"]).set_axis(range(4), axis=1)
    scaled = make_column_transformer((StandardScaler(), [0, 2]), remainder="passthrough")
    model = make_pipeline(scaled, last).fit(X, target(numbers(), "binary"))
    report = predict_once.export(model, X, tmp_path / "package", target="outcome")
    assert [field["name"] for field in report.fields] == ["0", "1", "2", "3"]
    with serve(tmp_path / "package") as client:
        answers = [client.ask("outcome", dict(zip("0123", row, strict=True))) for row in X.head(20).to_numpy().tolist()]
    assert answers == model.predict(X.head(20)).tolist()


@pytest.mark.parametrize(
    "model", [LogisticRegression(), LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1)], ids=["linear", "lgbm"]
)
def test_the_columns_of_a_matrix_get_names(model: Any, tmp_path: Path) -> None:
    X = numbers().to_numpy()
    names = ["length", "width", "größe", "d", "count"]
    model.fit(X, target(numbers(), "binary"))
    report = predict_once.export(model, X, tmp_path / "package", target="outcome", feature_names=names)
    assert [field["name"] for field in report.fields] == names
    with serve(tmp_path / "package") as client:
        answers = [client.ask("outcome", dict(zip(names, row, strict=True))) for row in X[:20].tolist()]
    assert answers == model.predict(X[:20]).tolist()


@pytest.mark.parametrize(
    ("X", "names", "message"),
    [
        (numbers().to_numpy(), ["a", "b"], "feature_names has 2 names, but X has 5 columns"),
        (numbers(), list("abcde"), "X is a data frame, whose columns have names"),
        (numbers().set_axis(pd.MultiIndex.from_product([["x"], list("abcde")]), axis=1), None, "MultiIndex of 2 levels"),
    ],
    ids=["too-few", "named", "multi-index"],
)
def test_names_that_do_not_fit_the_columns_are_refused(X: Any, names: Any, message: str, tmp_path: Path) -> None:
    model = LogisticRegression().fit(numbers().to_numpy(), target(numbers(), "binary"))
    with pytest.raises(predict_once.ExportError, match=message):
        predict_once.export(model, X, tmp_path / "package", target="outcome", feature_names=names)
