"""The running service answers over HTTP what the training library predicts: each estimator on numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catboost import CatBoostClassifier, CatBoostRegressor
from clusters import UNSUPERVISED
from conftest import serve
from data import numbers, target
from estimators import ESTIMATORS, OTHERS, PREPARATIONS, kinds_of, model_for
from lightgbm import LGBMClassifier
from served import assert_served, fitted
from sklearn.pipeline import Pipeline
from targets import SEVERAL

import predict_once
from predict_once.class_names import class_names
from predict_once.lowering.registry import KNOWN


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name in ESTIMATORS | OTHERS for kind in kinds_of(name)])
def test_an_estimator_on_numbers_is_served_as_it_predicts(name: str, kind: str, tmp_path: Path) -> None:
    X = numbers()
    model, labels = fitted(model_for(name, PREPARATIONS["numbers"]), X, kind)
    assert_served(model, X, tmp_path, labels)


def test_every_supported_estimator_is_tested() -> None:
    models = [part for model in (*(ESTIMATORS | OTHERS).values(), *UNSUPERVISED.values()) for part in steps_of(model)]
    tried = {name.split(".")[-1] for model in [*models, *SEVERAL] for name in class_names(model)}
    boosters = {"XgboostBooster", "LightgbmBooster", "XGBRanker", "LGBMRanker", "CatBoostRanker"}  # in test_boosters.py
    assert {name.split(".")[-1] for name in KNOWN} <= tried | boosters


def steps_of(model: Any) -> list[Any]:
    """The model, or the steps of a Pipeline."""
    return [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]


@pytest.mark.parametrize(
    "name",
    ["HistGradientBoostingClassifier", "LGBMClassifier", "XGBClassifier", "CatBoostClassifier", "RandomForestClassifier"],
)
def test_missing_numbers_are_served_as_they_are_predicted(name: str, tmp_path: Path) -> None:
    X = numbers(missing=True)
    model, labels = fitted(model_for(name, PREPARATIONS["missing numbers"]), X, "binary")
    assert_served(model, X, tmp_path, labels)


SMALL: dict[str, Any] = {"iterations": 20, "verbose": False, "allow_writing_files": False, "thread_count": 1}


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (CatBoostClassifier(nan_mode="Max", **SMALL), "binary"),
        (CatBoostClassifier(grow_policy="Lossguide", **SMALL), "classes"),
        (CatBoostRegressor(grow_policy="Depthwise", **SMALL), "regression"),
        (CatBoostRegressor(loss_function="Quantile:alpha=0.3", **SMALL), "regression"),
        (CatBoostRegressor(loss_function="Poisson", **SMALL), "counts"),
    ],
    ids=["missing-as-largest", "leaf-by-leaf", "level-by-level", "quantile", "poisson"],
)
def test_catboost_is_served_however_it_grew(model: Any, kind: str, tmp_path: Path) -> None:
    X = numbers(missing=True)
    y = np.abs(target(X, "regression")).round() if kind == "counts" else target(X, kind)
    assert_served(model.fit(X, y), X, tmp_path)


def test_lightgbm_is_served_as_it_predicts_at_its_thresholds_around_zero(tmp_path: Path) -> None:
    # LightGBM reads everything within ±1e-35 as 0, and has thresholds at both ends.
    X = numbers()
    X["count"] = X["a"].where(X["a"] > 0, -1.0)
    model = LGBMClassifier(n_estimators=30, verbose=-1, n_jobs=1).fit(X.assign(a=X["a"] - X["a"].abs() / 2), target(X, "classes"))
    tiny = float(np.float32(1e-35))
    thresholds = {abs(node) for node in model.booster_.trees_to_dataframe()["threshold"].dropna()}
    assert tiny in thresholds
    rows = X.head(20).copy()
    for position, value in enumerate([-tiny, tiny, 0.0, -2 * tiny, 2 * tiny]):
        rows.iloc[position::5, :4] = value
    predict_once.export(model, X, tmp_path / "package", target="outcome")
    expected = model.predict_proba(rows)
    with serve(tmp_path / "package") as client:
        for row, probabilities in zip(rows.to_dict("records"), expected, strict=True):
            assert list(client.ask("outcome_probabilities", row).values()) == pytest.approx(probabilities, abs=1e-5)
