"""What cannot be exported is refused with what it is and what to do instead, and nothing is written."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier, CatBoostRegressor
from data import mixed, numbers, target
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import predict_once
from predict_once import ExportError


class Doubles(TransformerMixin, BaseEstimator):
    """A transformer that nobody else knows."""

    def fit(self, X: Any, y: Any = None) -> "Doubles":
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X) * 2


def classifier(X: pd.DataFrame) -> Any:
    return LogisticRegression(max_iter=1000).fit(X, target(X, "binary"))


def pipeline(step: Any, columns: Any, X: pd.DataFrame) -> Any:
    model = make_pipeline(make_column_transformer((step, columns)), LogisticRegression())
    return model.fit(X, target(X, "binary"))


def refused(folder: Path, model: Any, X: Any, **arguments: Any) -> str:
    """Why the export was refused. Nothing may have been written."""
    directory = folder / "package"
    with pytest.raises(ExportError) as error:
        predict_once.export(model, X, directory, **({"target": "outcome"} | arguments))
    assert list(folder.iterdir()) == []
    return str(error.value)


@pytest.mark.parametrize("step", [Doubles(), FunctionTransformer(np.log1p)], ids=["custom", "function"])
def test_a_transformer_of_ones_own_is_named_with_its_column(step: Any, tmp_path: Path) -> None:
    X = numbers().abs()
    message = refused(tmp_path, pipeline(step, ["größe"], X), X)
    assert type(step).__name__ in message and "'größe'" in message and "before the fit" in message


def test_a_text_vectoriser_is_named_with_its_column(tmp_path: Path) -> None:
    X = mixed()
    message = refused(tmp_path, pipeline(TfidfVectorizer(token_pattern=r"\w"), "city", X), X)
    assert "TfidfVectorizer" in message and "'city'" in message and "numbers or categories" in message


def test_a_column_of_dates_is_named(tmp_path: Path) -> None:
    X = numbers()
    dated = X.assign(a=pd.date_range("2020-01-01", periods=len(X)))
    message = refused(tmp_path, classifier(X), dated)
    assert "'a'" in message and "date" in message


def test_a_model_that_is_not_fitted_or_not_known_is_refused(tmp_path: Path) -> None:
    X = numbers()
    assert "fit" in refused(tmp_path, LogisticRegression(), X)
    assert "object" in refused(tmp_path, object(), X)


def test_an_x_of_other_columns_is_refused(tmp_path: Path) -> None:
    X = numbers()
    assert "Pass the X of the fit" in refused(tmp_path, classifier(X), X[["a", "d"]])


def test_probabilities_of_many_coupled_classes_are_refused_and_the_remedy_is_named(tmp_path: Path) -> None:
    X = numbers()
    y = np.arange(len(X)) % 11
    message = refused(tmp_path, SVC(probability=True, random_state=0).fit(X + y[:, np.newaxis], y), X)
    assert "11 classes" in message and "CalibratedClassifierCV" in message


def test_what_catboost_does_with_categories_is_refused_and_the_remedy_is_named(tmp_path: Path) -> None:
    X = mixed()
    model = CatBoostClassifier(iterations=5, verbose=False, allow_writing_files=False, cat_features=["city", "type of flat"])
    message = refused(tmp_path, model.fit(X, target(X, "binary")), X)
    assert "categorical" in message and "OneHotEncoder" in message


def test_a_loss_of_catboost_without_a_counterpart_is_named(tmp_path: Path) -> None:
    X = numbers()
    model = CatBoostRegressor(iterations=5, verbose=False, allow_writing_files=False, loss_function="RMSEWithUncertainty")
    assert "'RMSEWithUncertainty'" in refused(tmp_path, model.fit(X, target(X, "regression")), X)


def test_several_targets_are_refused(tmp_path: Path) -> None:
    X = numbers()
    y = target(X, "regression")
    assert "several targets" in refused(tmp_path, LinearRegression().fit(X, np.stack([y, y], axis=1)), X)


@pytest.mark.parametrize("name", ["docs", "health", "a:b", "", "\n", "日本"])
def test_a_target_that_cannot_be_an_endpoint_is_refused_by_name(name: str, tmp_path: Path) -> None:
    X = numbers()
    message = refused(tmp_path, classifier(X), X, target=name)
    assert name.strip() in message


@pytest.mark.parametrize(
    ("name", "endpoint"), [("Größe in m²", "Grosse_in_m2"), ("rent / month", "rent_month"), ("is new?", "is_new")]
)
def test_a_target_with_spaces_accents_or_slashes_has_an_endpoint_of_ascii(
    name: str, endpoint: str, tmp_path: Path
) -> None:
    X = numbers()
    report = predict_once.export(classifier(X), X, tmp_path / "package", target=name)
    assert [prediction["name"] for prediction in report.predictions][0] == name
    assert [prediction["endpoint"] for prediction in report.predictions][0] == endpoint


def test_an_existing_package_is_left_alone_unless_asked(tmp_path: Path) -> None:
    X = numbers()
    directory = tmp_path / "package"
    predict_once.export(classifier(X), X, directory, target="outcome")
    before = {file.name: file.read_bytes() for file in directory.iterdir()}
    tree = DecisionTreeClassifier(random_state=0).fit(X, target(X, "binary"))
    with pytest.raises(ExportError, match="overwrite=True"):
        predict_once.export(tree, X, directory, target="outcome")
    assert {file.name: file.read_bytes() for file in directory.iterdir()} == before
    predict_once.export(tree, X, directory, target="outcome", overwrite=True)
    assert (directory / "model.onnx").read_bytes() != before["model.onnx"]
    assert sorted(file.name for file in directory.iterdir()) == sorted(before)


def test_a_model_that_disagrees_with_its_graph_is_refused_with_both_figures(tmp_path: Path) -> None:
    X = numbers()
    model = classifier(X)
    model.predict_proba = lambda rows: np.full((len(rows), 2), 0.5)
    message = refused(tmp_path, model, X)
    assert "tolerance" in message and "max_other_class" in message


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    X = mixed()
    model = pipeline(OneHotEncoder(), ["city"], X)
    for name in ("one", "other"):
        predict_once.export(model, X, tmp_path / name, target="outcome")
    for file in ("model.onnx", "model.toml", "golden.jsonl"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()


def test_golden_rows_are_no_records_of_the_data(tmp_path: Path) -> None:
    X = numbers()
    predict_once.export(classifier(X), X, tmp_path / "package", target="outcome")
    golden = pd.read_json(tmp_path / "package/golden.jsonl", lines=True)["input"]
    records = {tuple(row) for row in X.to_numpy().tolist()}
    assert not any(tuple(row[name] for name in X.columns) in records for row in golden)


def test_observed_ranges_are_comments_and_bounds_are_rules(tmp_path: Path) -> None:
    X = numbers()
    predict_once.export(classifier(X), X, tmp_path / "free", target="outcome")
    text = (tmp_path / "free/model.toml").read_text()
    assert "# observed: " in text and "minimum" not in text
    predict_once.export(classifier(X), X, tmp_path / "bound", target="outcome", bounds={"count": (0, None)})
    assert "\nminimum = 0\n" in (tmp_path / "bound/model.toml").read_text()
