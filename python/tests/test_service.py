"""What the running service answers over HTTP is what the training library predicts, for estimators × preprocessing × data."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import plain, serve
from data import categorical, mixed, numbers, target
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import clone, is_classifier
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier, XGBRegressor

import predict_once

ASKED = 60  # rows over HTTP; export has compared all of them through ONNX Runtime

CLASSIFIERS = [
    LogisticRegression(max_iter=1000),
    DecisionTreeClassifier(max_depth=6, random_state=0),
    RandomForestClassifier(30, random_state=0),
    ExtraTreesClassifier(30, random_state=0),
    GradientBoostingClassifier(n_estimators=20, random_state=0),
    HistGradientBoostingClassifier(max_iter=20, random_state=0),
    AdaBoostClassifier(n_estimators=10, random_state=0),
    BaggingClassifier(n_estimators=5, random_state=0),
    GaussianNB(),
    KNeighborsClassifier(),
    MLPClassifier(hidden_layer_sizes=(8,), max_iter=300, random_state=0),
    SVC(),
    VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=3))], voting="soft"),
    StackingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=3))]),
    LGBMClassifier(n_estimators=20, verbose=-1),
    XGBClassifier(n_estimators=20),
]
REGRESSORS = [
    LinearRegression(),
    Ridge(),
    Lasso(alpha=0.01),
    DecisionTreeRegressor(max_depth=6, random_state=0),
    RandomForestRegressor(30, random_state=0),
    ExtraTreesRegressor(30, random_state=0),
    GradientBoostingRegressor(n_estimators=20, random_state=0),
    HistGradientBoostingRegressor(max_iter=20, random_state=0),
    AdaBoostRegressor(n_estimators=10, random_state=0),
    BaggingRegressor(n_estimators=5, random_state=0),
    KNeighborsRegressor(),
    MLPRegressor(hidden_layer_sizes=(8,), max_iter=300, random_state=0),
    SVR(),
    VotingRegressor([("a", LinearRegression()), ("b", DecisionTreeRegressor(max_depth=3))]),
    StackingRegressor([("a", LinearRegression()), ("b", DecisionTreeRegressor(max_depth=3))]),
    LGBMRegressor(n_estimators=20, verbose=-1),
    XGBRegressor(n_estimators=20),
]
TEXTS, NUMBERS = ["city", "type of flat"], ["a", "b b", "größe", "d", "count"]


def cases() -> list[Any]:
    every = []
    for estimator in [*CLASSIFIERS, *REGRESSORS]:
        kinds = ["binary", "classes"] if is_classifier(estimator) else ["regression"]
        every += [pytest.param(estimator, kind, id=f"{type(estimator).__name__}-{kind}") for kind in kinds]
    return every


def fitted(model: Any, X: pd.DataFrame, kind: str) -> tuple[Any, list[Any] | None]:
    """The model, and the names of its classes where it knows them by number only."""
    y = target(X, kind)
    labels = None
    if isinstance(model, XGBClassifier):
        classes, y = np.unique(y, return_inverse=True)
        labels = [plain(label) for label in classes]
    return model.fit(X, y), labels


def assert_served(model: Any, X: pd.DataFrame, folder: Path, labels: list[Any] | None = None) -> None:
    """Exports the model, asks the service for the first rows, and compares."""
    report = predict_once.export(model, X, folder / "package", target="outcome", labels=labels)
    asked = [field["name"] for field in report.fields]
    rows = X.head(ASKED)
    predicted = model.predict(rows)
    probabilities = model.predict_proba(rows) if is_classifier(model) and hasattr(model, "predict_proba") else None
    with serve(folder / "package") as client:
        for position, row in enumerate(rows[asked].to_dict("records")):
            answer, expected = client.ask("outcome", row), plain(predicted[position])
            if not is_classifier(model):
                assert answer == pytest.approx(expected, rel=1e-5, abs=1e-5)
                continue
            assert answer == (labels[expected] if labels else expected)
            if probabilities is not None:
                answered = list(client.ask("outcome_probabilities", row).values())
                assert answered == pytest.approx(probabilities[position], abs=1e-5)


@pytest.mark.parametrize(("estimator", "kind"), cases())
def test_an_estimator_on_numbers_is_served_as_it_predicts(estimator: Any, kind: str, tmp_path: Path) -> None:
    X = numbers()
    model, labels = fitted(clone(estimator), X, kind)
    assert_served(model, X, tmp_path, labels)


@pytest.mark.parametrize(
    "estimator",
    [
        HistGradientBoostingClassifier(max_iter=20, random_state=0),
        LGBMClassifier(n_estimators=20, verbose=-1),
        XGBClassifier(n_estimators=20),
        RandomForestClassifier(20, random_state=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_missing_numbers_are_served_as_they_are_predicted(estimator: Any, tmp_path: Path) -> None:
    X = numbers(missing=True)
    model, labels = fitted(clone(estimator), X, "binary")
    assert_served(model, X, tmp_path, labels)


PREPROCESSING = {
    "one-hot": [(OneHotEncoder(handle_unknown="ignore"), TEXTS), (StandardScaler(), NUMBERS), ("passthrough", ["new"])],
    "ordinal": [(OrdinalEncoder(), TEXTS), (MinMaxScaler(), NUMBERS), ("drop", ["new"])],
    "robust": [(OneHotEncoder(drop="first"), TEXTS), (RobustScaler(), NUMBERS[:3])],
}


@pytest.mark.parametrize("estimator", [LogisticRegression(max_iter=1000), RandomForestClassifier(20, random_state=0), MLPClassifier(hidden_layer_sizes=(8,), max_iter=200, random_state=0), LGBMClassifier(n_estimators=20, verbose=-1)], ids=lambda estimator: type(estimator).__name__)
@pytest.mark.parametrize("steps", PREPROCESSING.values(), ids=PREPROCESSING.keys())
def test_a_pipeline_is_served_as_it_predicts(estimator: Any, steps: Any, tmp_path: Path) -> None:
    X = mixed()
    model, _ = fitted(make_pipeline(clone(make_column_transformer(*steps)), clone(estimator)), X, "binary")
    assert_served(model, X, tmp_path)


@pytest.mark.parametrize("estimator", [LogisticRegression(max_iter=1000), RandomForestClassifier(20, random_state=0)], ids=lambda estimator: type(estimator).__name__)
def test_imputed_numbers_and_texts_are_served_as_they_are_predicted(estimator: Any, tmp_path: Path) -> None:
    X = mixed(missing=True)
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    steps = make_column_transformer((texts, ["city"]), (OneHotEncoder(), ["type of flat"]), (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS))
    model, _ = fitted(make_pipeline(steps, clone(estimator)), X, "classes")
    assert_served(model, X, tmp_path)


@pytest.mark.parametrize(
    "estimator",
    [
        LGBMClassifier(n_estimators=20, verbose=-1),
        XGBClassifier(n_estimators=20, enable_categorical=True),
        HistGradientBoostingClassifier(max_iter=20, categorical_features="from_dtype", random_state=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_categories_of_pandas_are_served_as_they_are_predicted(estimator: Any, tmp_path: Path) -> None:
    X = categorical()
    model, labels = fitted(clone(estimator), X, "binary")
    assert_served(model, X, tmp_path, labels)


def test_scores_whose_sigmoids_vanish_in_float32_have_probabilities(tmp_path: Path) -> None:
    X = numbers()
    model = CalibratedClassifierCV(LinearSVC(random_state=0)).fit(X, target(X, "classes"))
    assert_served(model, X * 100, tmp_path)


def test_large_scores_of_one_versus_rest_have_the_predicted_class(tmp_path: Path) -> None:
    X = numbers()
    model = SGDClassifier(loss="log_loss", random_state=0).fit(X, target(X, "classes"))
    saturated = model.decision_function(X) > 40  # whose sigmoid is 1 in float64, too
    assert (saturated.sum(axis=1) > 1).any()
    assert_served(model, X, tmp_path)


@pytest.mark.parametrize("labels", [[False, True], [1, 2], ["no/n", "ja: ü"]], ids=str)
def test_labels_keep_their_type(labels: list[Any], tmp_path: Path) -> None:
    X = numbers()
    y = np.asarray(labels)[(target(X, "binary") == "yes").astype(int)]
    model = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, y)
    assert_served(model, X, tmp_path)
    with serve(tmp_path / "package") as client:
        answers = [client.ask("outcome", row) for row in X.head(20).to_dict("records")]
    assert {type(answer) for answer in answers} == {type(labels[0])}
