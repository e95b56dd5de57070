"""The service's contributions and those of the `shap` package, on 1,000 rows with missing values and categories."""

import json
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import shap
import xgboost
from conftest import plain, serve
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVR

import predict_once

ROWS = 1000
NUMBERS = ["age", "income", "debt"]
TEXTS = ["job", "region"]
RELATIVE = 1e-6


def frame() -> pd.DataFrame:
    """Numbers with missing values, and categories."""
    random = np.random.default_rng(0)
    X = pd.DataFrame({name: random.normal(size=ROWS).astype(np.float32).astype(float) for name in NUMBERS})
    X = X.mask(random.random(X.shape) < 0.1)
    X["job"] = random.choice(["cook", "driver", "nurse", "teacher", "judge"], ROWS)
    X["region"] = random.choice(["north", "south", "west"], ROWS)
    return X


def targets(X: pd.DataFrame) -> tuple[Any, Any]:
    """A number, and which of two classes."""
    random = np.random.default_rng(1)
    y = X["age"].fillna(2) * X["income"].fillna(-1) + X["debt"].fillna(0) + X["job"].isin(["cook", "judge"]) * 2.0
    y = (y + (X["region"] == "west") * X["income"].fillna(1) + random.normal(scale=0.3, size=ROWS)).to_numpy()
    return y, y > np.median(y)


def encoded(model: Any, *, missing: bool) -> Pipeline:
    """The model behind encoders, which impute missing numbers unless the model takes them."""
    numbers = "passthrough" if missing else make_pipeline(SimpleImputer(), StandardScaler())
    return make_pipeline(make_column_transformer((OneHotEncoder(sparse_output=False), TEXTS), (numbers, NUMBERS)), model)


def categories(X: pd.DataFrame) -> pd.DataFrame:
    return X.astype(dict.fromkeys(TEXTS, "category"))


BEHIND_ENCODERS = {
    "random forest regressor": (RandomForestRegressor(n_estimators=8, max_depth=8, random_state=0), True),
    "random forest classifier": (RandomForestClassifier(n_estimators=8, max_depth=9, random_state=0), True),
    "gradient boosting regressor": (GradientBoostingRegressor(n_estimators=40, max_depth=4, random_state=0), False),
    "gradient boosting classifier": (GradientBoostingClassifier(n_estimators=40, random_state=0), False),
    "histogram boosting regressor": (HistGradientBoostingRegressor(max_iter=40, random_state=0), True),
    "histogram boosting classifier": (HistGradientBoostingClassifier(max_iter=40, random_state=0), True),
    "LightGBM": (lightgbm.LGBMRegressor(n_estimators=40, verbose=-1), True),
    "XGBoost": (xgboost.XGBClassifier(n_estimators=40, max_depth=5), True),
    "CatBoost regressor": (catboost.CatBoostRegressor(iterations=40, depth=5, verbose=0, allow_writing_files=False), True),
    "CatBoost classifier": (catboost.CatBoostClassifier(iterations=40, depth=5, verbose=0, allow_writing_files=False), True),
    "logistic regression": (LogisticRegression(), False),
    "ridge": (Ridge(), False),
}


@pytest.mark.parametrize("name", BEHIND_ENCODERS)
def test_contributions_behind_encoders_equal_those_of_shap(name: str, tmp_path: Path) -> None:
    X = frame()
    model, missing = BEHIND_ENCODERS[name]
    number, which = targets(X)
    fitted = encoded(model, missing=missing).fit(X, which if hasattr(model, "predict_proba") else number)
    columns = fitted[0].transform(X)
    # The columns of a category are added up to the field.
    known = fitted[0].named_transformers_["onehotencoder"].categories_
    fields = [text for text, values in zip(TEXTS, known, strict=True) for _ in values]
    if name in ("logistic regression", "ridge"):
        explainer = shap.LinearExplainer(fitted[-1], shap.maskers.Independent(columns, max_samples=ROWS))
    else:
        explainer = shap.TreeExplainer(fitted[-1], feature_perturbation="tree_path_dependent")
    expected, base = of_second_class(explainer.shap_values(columns), explainer.expected_value)
    expected = pd.DataFrame(expected, columns=fields + NUMBERS, dtype=float).T.groupby(level=0).sum().T
    compare(fitted, X, tmp_path, expected, base)


@pytest.mark.parametrize("library", ["LightGBM", "XGBoost"])
def test_contributions_of_categories_equal_those_of_shap(library: str, tmp_path: Path) -> None:
    X = categories(frame())
    _, which = targets(X)
    model: Any = {
        "LightGBM": lightgbm.LGBMClassifier(n_estimators=40, min_data_per_group=5, cat_smooth=1, verbose=-1),
        "XGBoost": xgboost.XGBClassifier(n_estimators=40, enable_categorical=True, max_cat_to_onehot=2),
    }[library]
    model.fit(X, which)
    if library == "XGBoost":
        values = model.get_booster().predict(xgboost.DMatrix(X, enable_categorical=True), pred_contribs=True)
    else:
        values = model.predict(X, pred_contrib=True)
    compare(model, X, tmp_path, pd.DataFrame(values[:, :-1], columns=X.columns, dtype=float), float(values[0, -1]))


def test_reasons_and_the_explained_class_are_written(tmp_path: Path) -> None:
    X = frame()
    number, _ = targets(X)
    levels = np.digitize(number, np.quantile(number, [0.3, 0.6]))
    model = encoded(HistGradientBoostingClassifier(max_iter=5), missing=True).fit(X, levels)
    labels = ["low", "middle", "high"]
    arguments: dict[str, Any] = {"target": "level", "labels": labels, "explain": "middle", "reasons": {"age": "Too young"}}
    predict_once.export(model, X, tmp_path / "package", **arguments)
    expected = shap.TreeExplainer(model[-1]).shap_values(model[0].transform(X.head(1)))[0, -3, 1]
    row = {name: plain(value) for name, value in X.astype(object).iloc[0].items()}
    with serve(tmp_path / "package") as client:
        reasons = client.answer("level?explain=5", row)["reasons"]
    [age] = [entry for entry in reasons["contributions"] if entry["field"] == "age"]
    assert age == {"field": "age", "value": row["age"], "contribution": age["contribution"], "reason": "Too young"}
    assert age["contribution"] == pytest.approx(expected, rel=RELATIVE)


def test_what_cannot_be_explained_is_refused(tmp_path: Path) -> None:
    X = frame()[NUMBERS].fillna(0)
    number, which = targets(frame())
    tree = HistGradientBoostingRegressor(max_iter=2).fit(X, number)
    for model, arguments, problem in [
        (KNeighborsRegressor().fit(X, number), {"explain": True}, "neither a tree ensemble nor a linear model"),
        (
            VotingRegressor([("a", Ridge()), ("b", SVR())]).fit(X, number),
            {"explain": True},
            "neither a tree ensemble nor a linear model",
        ),
        (tree, {"explain": "yes"}, "a regressor has no classes"),
        (tree, {"reasons": {"age": "Age"}}, "Pass explain=True"),
        (tree, {"explain": True, "reasons": {"size": "Size"}}, "reasons refers to unknown 'size'"),
        (LogisticRegression().fit(X, which.astype(int) + (X["age"] > 1)), {"explain": True}, "pass the class"),
    ]:
        with pytest.raises(predict_once.ExportError, match=problem):
            predict_once.export(model, X, tmp_path / "package", target="outcome", **arguments)


def of_second_class(values: Any, base: Any) -> tuple[Any, float]:
    """The contributions to the only score, or to that of the second class."""
    values = np.asarray(values)
    return (values[..., -1] if values.ndim == 3 else values), float(np.ravel(base)[-1])


def compare(model: Any, X: pd.DataFrame, folder: Path, expected: pd.DataFrame, base: float) -> None:
    """Asks the service for the contributions to all rows; small ones may differ by as much as large ones."""
    predict_once.export(model, X, folder / "package", target="outcome", explain=True)
    rows = [{name: plain(value) for name, value in row.items()} for row in X.astype(object).to_dict("records")]
    with serve(folder / "package") as client:
        client.connection.request("POST", "/reasons", json.dumps(rows).encode(), {"content-type": "application/json"})
        answers = [answer["reasons"] for answer in json.loads(client.connection.getresponse().read())]
    assert len(answers) == ROWS
    assert {answer["base"] for answer in answers} == {answers[0]["base"]}
    assert answers[0]["base"] == pytest.approx(base, rel=RELATIVE, abs=RELATIVE)
    for position, answer in enumerate(answers):
        ours = {entry["field"]: entry["contribution"] for entry in answer["contributions"]}
        wanted = expected.iloc[position]
        scale = max(abs(wanted).max(), abs(base))
        assert [ours[name] for name in expected.columns] == pytest.approx(wanted.tolist(), rel=0, abs=RELATIVE * scale)
        assert answer["others"] == 0
        assert answer["base"] + sum(ours.values()) == pytest.approx(answer["score"], rel=1e-12, abs=1e-12)
        sent = {entry["field"]: entry["value"] for entry in answer["contributions"]}
        assert sent == rows[position]
