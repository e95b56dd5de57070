"""Models that cannot be exported are refused: the message names the cause and the remedy, and nothing is written."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier, CatBoostRegressor
from data import mixed, numbers, target
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import AdaBoostClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import predict_once
from predict_once import ExportError


class Doubles(TransformerMixin, BaseEstimator):
    """A custom transformer."""

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
    """The message of the refusal. Nothing may have been written."""
    directory = folder / "package"
    with pytest.raises(ExportError) as error:
        predict_once.export(model, X, directory, **({"target": "outcome"} | arguments))
    assert list(folder.iterdir()) == []
    return str(error.value)


@pytest.mark.parametrize("step", [Doubles(), FunctionTransformer(lambda X: np.log1p(X))], ids=["custom", "function"])
def test_a_custom_transformer_is_named_with_its_column(step: Any, tmp_path: Path) -> None:
    X = numbers().abs()
    message = refused(tmp_path, pipeline(step, ["größe"], X), X)
    assert type(step).__name__ in message and "'größe'" in message and "before the fit" in message


def test_a_vectorizer_behind_another_step_is_named(tmp_path: Path) -> None:
    X = mixed(missing=True)
    filled = make_pipeline(SimpleImputer(strategy="most_frequent"), FunctionTransformer(np.ravel), TfidfVectorizer())
    message = refused(tmp_path, pipeline(filled, ["city"], X), X)
    assert "FunctionTransformer" in message and "'city'" in message


def test_a_column_of_dates_is_named_with_the_step_that_reads_it(tmp_path: Path) -> None:
    X = numbers().assign(since=pd.date_range("2020-01-01", periods=len(numbers())))
    message = refused(tmp_path, pipeline(OneHotEncoder(), ["since"], X), X)
    assert "'since'" in message and "(OneHotEncoder)" in message and "holds dates or times. Put predict_once.DateParts" in message


def test_a_column_of_dates_instead_of_numbers_is_named(tmp_path: Path) -> None:
    X = numbers()
    dated = X.assign(a=pd.date_range("2020-01-01", periods=len(X)))
    message = refused(tmp_path, classifier(X), dated)
    assert "'a'" in message and "LogisticRegression" in message and "date" in message


def test_a_column_of_dates_that_nothing_reads_is_allowed(tmp_path: Path) -> None:
    X = mixed().assign(since=pd.date_range("2020-01-01", periods=len(mixed())))
    report = predict_once.export(pipeline(OneHotEncoder(), ["city"], X), X, tmp_path / "package", target="outcome")
    assert [field["name"] for field in report.fields] == ["city"]


def test_an_unfitted_or_unknown_model_is_refused(tmp_path: Path) -> None:
    X = numbers()
    assert "fit" in refused(tmp_path, LogisticRegression(), X)
    assert "object" in refused(tmp_path, object(), X)


def test_an_x_with_other_columns_is_refused(tmp_path: Path) -> None:
    X = numbers()
    assert "Pass the X that it was fitted on" in refused(tmp_path, classifier(X), X[["a", "d"]])


def test_probabilities_of_many_coupled_classes_are_refused_and_the_remedy_is_named(tmp_path: Path) -> None:
    X = numbers()
    y = np.arange(len(X)) % 11
    message = refused(tmp_path, SVC(probability=True, random_state=0).fit(X + y[:, np.newaxis], y), X)
    assert "11 classes" in message and "CalibratedClassifierCV" in message


def test_categorical_features_of_catboost_are_refused_and_the_remedy_is_named(tmp_path: Path) -> None:
    X = mixed()
    model = CatBoostClassifier(iterations=5, verbose=False, allow_writing_files=False, cat_features=["city", "type of flat"])
    message = refused(tmp_path, model.fit(X, target(X, "binary")), X)
    assert "categorical" in message and "OneHotEncoder" in message


def test_an_unsupported_loss_of_catboost_is_named(tmp_path: Path) -> None:
    X = numbers()
    model = CatBoostRegressor(iterations=5, verbose=False, allow_writing_files=False, loss_function="RMSEWithUncertainty")
    assert "'RMSEWithUncertainty'" in refused(tmp_path, model.fit(X, target(X, "regression")), X)


def test_the_old_algorithm_of_adaboost_is_refused_and_the_new_one_named(tmp_path: Path) -> None:
    X = numbers()
    model = AdaBoostClassifier(n_estimators=3).fit(X, target(X, "binary"))
    model.algorithm = "SAMME.R"  # the default up to scikit-learn 1.5
    assert "algorithm='SAMME'" in refused(tmp_path, model, X)


@pytest.mark.parametrize("name", ["docs", "health", "a:b", "", "\n", "日本"])
def test_a_target_that_cannot_be_an_endpoint_is_refused_by_name(name: str, tmp_path: Path) -> None:
    X = numbers()
    message = refused(tmp_path, classifier(X), X, target=name)
    assert name.strip() in message


@pytest.mark.parametrize(
    ("endpoints", "parts"),
    [
        ({"class": "x", "probabilities": "x"}, ["two predictions", "'x'"]),
        ({"class": "outcome_probabilities"}, ["two predictions", "'outcome_probabilities'"]),
        ({"class": "/docs/"}, ["/docs", "endpoints={'class'"]),
        ({"class": "v1/x"}, ["'v1/x'", "A-Z"]),
        ({"klass": "x"}, ["'klass'", "'probabilities'"]),
    ],
    ids=["twice", "of-the-other", "reserved", "nested", "unknown"],
)
def test_endpoints_that_collide_or_are_taken_are_named(endpoints: Any, parts: list[str], tmp_path: Path) -> None:
    X = numbers()
    message = refused(tmp_path, classifier(X), X, endpoints=endpoints)
    assert all(part in message for part in parts), message


@pytest.mark.parametrize("kinds", [[], ["class", "class"], ["nothing"]], ids=str)
def test_empty_duplicate_and_unknown_kinds_are_refused(kinds: list[str], tmp_path: Path) -> None:
    X = numbers()
    assert "kinds" in refused(tmp_path, classifier(X), X, kinds=kinds) or len(kinds) == 2


@pytest.mark.parametrize("name", ["a\nb", "x" * 201], ids=["two-lines", "long"])
def test_a_column_with_an_invalid_name_is_named(name: str, tmp_path: Path) -> None:
    X = numbers().rename(columns={"d": name})
    model = LogisticRegression().fit(X, target(numbers(), "binary"))
    assert repr(name) in refused(tmp_path, model, X)


@pytest.mark.parametrize("value", ["", "a\tb", "x" * 201], ids=["empty", "tab", "long"])
def test_an_invalid_category_is_named_with_its_column(value: str, tmp_path: Path) -> None:
    X = mixed().replace({"city": {"Łódź": value}})
    message = refused(tmp_path, pipeline(OneHotEncoder(), ["city"], X), X)
    assert "'city'" in message and repr(value[:50]) in message


def test_more_columns_than_a_package_has_fields_are_refused(tmp_path: Path) -> None:
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 1001)), columns=[f"c{index}" for index in range(1001)])
    assert "1,001" in refused(tmp_path, LinearRegression().fit(X, X["c0"]), X)


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    X = numbers()
    assert "one class" in refused(tmp_path, DecisionTreeClassifier().fit(X, np.zeros(len(X))), X)


def test_a_model_that_disagrees_with_its_graph_is_refused_with_both_figures(tmp_path: Path) -> None:
    X = numbers()
    model = classifier(X)
    model.predict_proba = lambda rows: np.full((len(rows), 2), 0.5)
    message = refused(tmp_path, model, X)
    assert "tolerance" in message and "max_other_class" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": {"count": 3}}, "the unit of field 'count' is 3, but must be a text"),
        ({"descriptions": {"count": None}}, "the description of field 'count' is None, but must be a text"),
        ({"units": {np.str_("weight"): "kg"}}, "units refers to unknown 'weight'. Known: 'city', 'count'"),
        ({"bounds": {np.str_("count"): (np.float64(9), np.int64(8))}}, r"bounds of 'count' are \(9.0, 8\). The lower end"),
        ({"bounds": {np.str_("count"): (np.float64(1e6), None)}}, r"bounds of 'count' are \(1000000.0, None\), but X has no"),
    ],
)
def test_a_mistake_in_texts_and_bounds_is_named_in_plain_python(arguments: Any, message: str, tmp_path: Path) -> None:
    X = pd.DataFrame({"city": ["a", "b"] * 20, "count": range(40)})
    model = make_pipeline(make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough"), LogisticRegression())
    with pytest.raises(predict_once.ExportError, match=message):
        predict_once.export(model.fit(X, np.arange(40) % 2), X, tmp_path / "package", target="outcome", **arguments)
