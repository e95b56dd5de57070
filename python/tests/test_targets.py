"""The running service with several targets: an object of named numbers, a list of labels, or a class for each target."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import plain, serve
from data import numbers, target
from sklearn.base import clone
from sklearn.cross_decomposition import PLSRegression
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, RegressorChain
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from targets import SEVERAL

import predict_once

ASKED = 30
REGRESSORS = [
    LinearRegression(),
    PLSRegression(),
    ExtraTreesRegressor(5, random_state=0),
    KNeighborsRegressor(),
    MLPRegressor(hidden_layer_sizes=(5,), max_iter=50, random_state=0),
    RegressorChain(ExtraTreesRegressor(5, random_state=0), order=[1, 0]),
    DummyRegressor(),
    *(model for model in SEVERAL if not hasattr(model, "predict_proba") and "Classifier" not in type(model).__name__),
]
LABELLERS = [
    RandomForestClassifier(5, random_state=0),
    KNeighborsClassifier(),
    MLPClassifier(hidden_layer_sizes=(5,), max_iter=50, random_state=0),
    RidgeClassifier(),
    OneVsRestClassifier(LogisticRegression()),
    MultiOutputClassifier(LinearSVC(random_state=0)),
    MultiOutputClassifier(LogisticRegression()),
    ClassifierChain(LogisticRegression(), order=[2, 0, 1]),
    ClassifierChain(DecisionTreeClassifier(max_depth=3, random_state=0), chain_method="predict_proba"),
]


def title(model: Any) -> str:
    return type(model).__name__


@pytest.mark.parametrize("model", REGRESSORS, ids=title)
def test_several_numbers_are_an_object_with_their_names(model: Any, tmp_path: Path) -> None:
    X = numbers().drop(columns=["count"])  # of neighbours at equal distances, any is right
    y = target(numbers(), "regression")
    fitted = make_pipeline(StandardScaler(), clone(model)).fit(X, np.stack([y, 100 * y**2], axis=1))
    report = predict_once.export(fitted, X, tmp_path / "package", target="size", labels=["width", "area: m²"])
    assert [(entry["kind"], entry["endpoint"]) for entry in report.predictions] == [("values", "size")]
    expected = fitted.predict(X.head(ASKED))
    with serve(tmp_path / "package") as client:
        for row, values in zip(X.head(ASKED).to_dict("records"), expected, strict=True):
            answer = client.ask("size", row)
            assert answer == pytest.approx({"width": values[0], "area: m²": values[1]}, rel=1e-9, abs=1e-9)


def test_several_numbers_without_names_are_numbered(tmp_path: Path) -> None:
    X = numbers()
    y = target(X, "regression")
    report = predict_once.export(LinearRegression().fit(X, np.stack([y, -y], axis=1)), X, tmp_path / "package", target="size")
    assert report.predictions[0]["values"] == ["size_0", "size_1"]


def yes_or_no() -> Any:
    X = numbers()
    return np.stack([target(X, "binary") == "yes", X["a"] > 0, X["d"] > 0.5], axis=1).astype(int)


@pytest.mark.parametrize("model", LABELLERS, ids=title)
def test_labels_are_a_list_of_those_that_apply(model: Any, tmp_path: Path) -> None:
    X = numbers().drop(columns=["count"])
    names = ["high", "a, positive", "d"]
    fitted = clone(model).fit(X, yes_or_no())
    report = predict_once.export(fitted, X, tmp_path / "package", target="tags", labels=names)
    kinds = ["labels", "values"] if hasattr(fitted, "predict_proba") else ["labels"]
    assert [entry["kind"] for entry in report.predictions] == kinds
    rows = X.head(ASKED)
    expected = fitted.predict(rows)
    with serve(tmp_path / "package") as client:
        for position, row in enumerate(rows.to_dict("records")):
            assert client.ask("tags", row) == [name for name, yes in zip(names, expected[position], strict=True) if yes]
        if len(kinds) > 1:
            shares = fitted.predict_proba(rows)
            one = [share[0, 1] for share in shares] if isinstance(shares, list) else shares[0]
            answer = client.ask("tags_probabilities", rows.iloc[0].to_dict())
            assert answer == pytest.approx(dict(zip(names, one, strict=True)), abs=1e-9)


@pytest.mark.parametrize(
    "model", [RandomForestClassifier(5, random_state=0), MultiOutputClassifier(LogisticRegression())], ids=title
)
def test_targets_with_other_classes_have_an_endpoint_each(model: Any, tmp_path: Path) -> None:
    X = numbers()
    y = np.stack([target(X, "classes").astype(str), target(X, "binary")], axis=1)
    fitted = clone(model).fit(X, y)
    report = predict_once.export(fitted, X, tmp_path / "package", target="kind", labels=["size", "good"])
    assert report.endpoints == ("/size", "/good")
    expected = fitted.predict(X.head(ASKED))
    with serve(tmp_path / "package") as client:
        for row, classes in zip(X.head(ASKED).to_dict("records"), expected, strict=True):
            assert [client.ask("size", row), client.ask("good", row)] == [plain(label) for label in classes]


def test_as_many_names_as_targets_are_needed(tmp_path: Path) -> None:
    X = numbers()
    model = RandomForestClassifier(3).fit(X, yes_or_no())
    with pytest.raises(predict_once.ExportError, match="labels has 2 entries, but the model has 3 targets"):
        predict_once.export(model, X, tmp_path / "package", target="tags", labels=["a", "b"])
