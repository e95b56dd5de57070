"""The running service with boosters of the libraries' own interfaces, their files, and further objectives."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from catboost import CatBoost, CatBoostClassifier, CatBoostRanker, CatBoostRegressor
from conftest import serve
from data import numbers, target
from lightgbm import LGBMRanker, LGBMRegressor
from xgboost import XGBClassifier, XGBRanker, XGBRegressor

import predict_once

X = numbers()
NUMBER, POSITIVE = target(X, "regression"), target(X, "positive")
COUNT = np.abs(NUMBER).round()
TWO, THREE = (target(X, "binary") == "yes").astype(int), (target(X, "classes") / 10).astype(int)
GROUPS = [24] * 10
QUIET: dict[str, Any] = {"iterations": 5, "verbose": False, "allow_writing_files": False, "thread_count": 1}
ASKED = 20


def xgb(y: Any, **options: Any) -> Any:
    """A booster of XGBoost."""
    data = xgboost.DMatrix(X, label=y)
    if options.get("objective", "").startswith("rank"):
        data.set_group(GROUPS)
    return xgboost.train({"max_depth": 3, "nthread": 1, **options}, data, 8)


def lgb(y: Any, **options: Any) -> Any:
    """A booster of LightGBM."""
    group = GROUPS if options.get("objective") == "lambdarank" else None
    return lightgbm.train({"verbose": -1, "num_threads": 1, **options}, lightgbm.Dataset(X, label=y, group=group), 8)


def xgb_answers(booster: Any) -> Any:
    return booster.predict(xgboost.DMatrix(X.head(ASKED)))


def lgb_answers(booster: Any) -> Any:
    return booster.predict(X.head(ASKED))


def asked(package: Path, *endpoints: str) -> list[list[Any]]:
    """The answers to the first rows of X."""
    with serve(package) as client:
        return [[client.ask(endpoint, row) for row in X.head(ASKED).to_dict("records")] for endpoint in endpoints]


NUMBERS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "xgboost, squared error": (lambda: xgb(NUMBER), xgb_answers),
    "xgboost, logistic": (lambda: xgb(TWO, objective="binary:logistic"), xgb_answers),
    "xgboost, logitraw": (lambda: xgb(TWO, objective="binary:logitraw"), xgb_answers),
    "xgboost, hinge": (lambda: xgb(TWO, objective="binary:hinge"), xgb_answers),
    "xgboost, poisson": (lambda: xgb(COUNT, objective="count:poisson"), xgb_answers),
    "xgboost, gamma": (lambda: xgb(POSITIVE, objective="reg:gamma"), xgb_answers),
    "xgboost, tweedie": (lambda: xgb(POSITIVE, objective="reg:tweedie"), xgb_answers),
    "xgboost, cox": (lambda: xgb(POSITIVE, objective="survival:cox"), xgb_answers),
    "xgboost, dart": (lambda: xgb(TWO, objective="binary:logistic", booster="dart", rate_drop=0.3), xgb_answers),
    "xgboost, rank": (lambda: xgb(COUNT, objective="rank:ndcg"), xgb_answers),
    "lightgbm, squared error": (lambda: lgb(NUMBER), lgb_answers),
    "lightgbm, root": (lambda: lgb(NUMBER, reg_sqrt=True), lgb_answers),
    "lightgbm, binary": (lambda: lgb(TWO, objective="binary"), lgb_answers),
    "lightgbm, poisson": (lambda: lgb(COUNT, objective="poisson"), lgb_answers),
    "lightgbm, tweedie": (lambda: lgb(POSITIVE, objective="tweedie"), lgb_answers),
    "lightgbm, cross entropy": (lambda: lgb(TWO, objective="cross_entropy"), lgb_answers),
    "lightgbm, cross entropy of weights": (lambda: lgb(TWO, objective="cross_entropy_lambda"), lgb_answers),
    "lightgbm, lambdarank": (lambda: lgb(np.clip(COUNT, 0, 4).astype(int), objective="lambdarank"), lgb_answers),
    "lightgbm, dart": (lambda: lgb(NUMBER, boosting="dart"), lgb_answers),
    "catboost, any": (lambda: CatBoost({**QUIET, "loss_function": "RMSE"}).fit(X, NUMBER), lgb_answers),
    "xgboost, ranker": (lambda: XGBRanker(n_estimators=5, n_jobs=1).fit(X, COUNT, group=GROUPS), lgb_answers),
    "lightgbm, ranker": (
        lambda: LGBMRanker(n_estimators=5, n_jobs=1, verbose=-1).fit(X, np.clip(COUNT, 0, 4).astype(int), group=GROUPS),
        lgb_answers,
    ),
    "catboost, ranker": (
        lambda: CatBoostRanker(loss_function="YetiRank", **QUIET).fit(X, COUNT, group_id=np.repeat(range(10), 24)),
        lgb_answers,
    ),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_booster_answers_with_the_number_of_its_objective(name: str, tmp_path: Path) -> None:
    fit, answers = NUMBERS[name]
    model = fit()
    predict_once.export(model, X, tmp_path / "package", target="outcome")
    tolerance = 1e-5 if name.startswith("xgboost") else 1e-9
    assert asked(tmp_path / "package", "outcome")[0] == pytest.approx(answers(model).tolist(), rel=tolerance, abs=tolerance)


def test_a_booster_of_two_classes_answers_with_them_if_they_have_names(tmp_path: Path) -> None:
    model = lgb(TWO, objective="binary")
    predict_once.export(model, X, tmp_path / "package", target="outcome", labels=["no", "yes"])
    classes, shares = asked(tmp_path / "package", "outcome", "outcome_probabilities")
    expected = lgb_answers(model)
    assert classes == np.where(expected > 0.5, "yes", "no").tolist()
    assert [share["yes"] for share in shares] == pytest.approx(expected.tolist(), abs=1e-9)


@pytest.mark.parametrize(
    "model",
    [
        lambda: xgb(THREE, objective="multi:softprob", num_class=3),
        lambda: lgb(THREE, objective="multiclass", num_class=3),
        lambda: lgb(THREE, objective="multiclassova", num_class=3),
    ],
    ids=["xgboost", "lightgbm", "lightgbm-ova"],
)
def test_a_booster_of_several_classes_answers_with_their_numbers(model: Callable[[], Any], tmp_path: Path) -> None:
    booster = model()
    predict_once.export(booster, X, tmp_path / "package", target="outcome")
    classes, shares = asked(tmp_path / "package", "outcome", "outcome_probabilities")
    expected = xgb_answers(booster) if isinstance(booster, xgboost.Booster) else lgb_answers(booster)
    assert classes == expected.argmax(axis=1).tolist()
    assert [list(share.values()) for share in shares] == [pytest.approx(row, abs=1e-5) for row in expected.tolist()]


def test_softmax_of_xgboost_answers_with_the_class_alone(tmp_path: Path) -> None:
    booster = xgb(THREE, objective="multi:softmax", num_class=3)
    report = predict_once.export(booster, X, tmp_path / "package", target="outcome", labels=["a", "b", "c"])
    assert report.endpoints == ("/outcome",)
    assert asked(tmp_path / "package", "outcome")[0] == ["abc"[int(position)] for position in xgb_answers(booster)]


@pytest.mark.parametrize("name", ["m.json", "m.ubj", "m.txt", "m.cbm"])
def test_a_file_of_a_booster_is_served_as_the_booster_predicts(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    if name.endswith(".txt"):
        model = lgb(NUMBER)
        expected = lgb_answers(model)
    elif name.endswith(".cbm"):
        model = CatBoostRegressor(**QUIET).fit(X, NUMBER)
        expected = lgb_answers(model)
    else:
        model = xgb(NUMBER)
        expected = xgb_answers(model)
    model.save_model(str(file))
    predict_once.export(file, X, tmp_path / "package", target="outcome")
    assert asked(tmp_path / "package", "outcome")[0] == pytest.approx(expected.tolist(), rel=1e-5)


def test_a_file_of_catboosts_classes_is_served_with_them(tmp_path: Path) -> None:
    model = CatBoostClassifier(**QUIET).fit(X, target(X, "binary"))
    model.save_model(str(tmp_path / "m.cbm"))
    predict_once.export(str(tmp_path / "m.cbm"), X, tmp_path / "package", target="outcome")
    assert asked(tmp_path / "package", "outcome")[0] == model.predict(X.head(ASKED)).tolist()


@pytest.mark.parametrize(("name", "content"), [("m.txt", b"x"), ("m.json", b"{}"), ("m.cbm", b"x")])
def test_a_file_that_no_booster_wrote_is_refused_by_name(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(predict_once.ExportError, match=rf"{name} cannot be read"):
        predict_once.export(tmp_path / name, X, tmp_path / "package", target="outcome")
    with pytest.raises(predict_once.ExportError, match=r"other.ubj does not exist"):
        predict_once.export(tmp_path / "other.ubj", X, tmp_path / "package", target="outcome")


@pytest.mark.parametrize(
    ("model", "y", "kind"),
    [
        (XGBRegressor(n_estimators=5, n_jobs=1), np.stack([NUMBER, -NUMBER], axis=1), "values"),
        (XGBRegressor(n_estimators=5, n_jobs=1, objective="reg:quantileerror", quantile_alpha=[0.1, 0.9]), NUMBER, "values"),
        (CatBoostRegressor(loss_function="MultiRMSE", **QUIET), np.stack([NUMBER, -NUMBER], axis=1), "values"),
        (CatBoostRegressor(loss_function="MultiQuantile:alpha=0.1,0.9", **QUIET), NUMBER, "values"),
        (XGBClassifier(n_estimators=5, n_jobs=1), np.stack([TWO, 1 - TWO], axis=1), "labels"),
        (CatBoostClassifier(loss_function="MultiLogloss", **QUIET), np.stack([TWO, 1 - TWO], axis=1), "labels"),
    ],
    ids=["xgboost", "xgboost-quantiles", "catboost", "catboost-quantiles", "xgboost-labels", "catboost-labels"],
)
def test_boosters_with_several_outputs_are_served_as_they_predict(model: Any, y: Any, kind: str, tmp_path: Path) -> None:
    model.fit(X, y)
    report = predict_once.export(model, X, tmp_path / "package", target="outcome", labels=["low", "high"])
    assert report.predictions[0]["kind"] == kind
    [answers] = asked(tmp_path / "package", "outcome")
    for answer, row in zip(answers, model.predict(X.head(ASKED)).tolist(), strict=True):
        if kind == "labels":
            assert answer == [name for name, yes in zip(["low", "high"], row, strict=True) if yes]
        else:
            assert list(answer.values()) == pytest.approx(row, rel=1e-5, abs=1e-5)


def test_a_linear_booster_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(predict_once.ExportError, match="gblinear"):
        predict_once.export(xgb(NUMBER, booster="gblinear"), X, tmp_path / "package", target="outcome")


def test_a_booster_reads_the_categories_that_it_was_trained_on(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": X["a"], "kind": pd.Categorical(np.where(X["d"] > 0, "x", "y"))})
    model = LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1).fit(frame, NUMBER).booster_
    report = predict_once.export(model, frame, tmp_path / "package", target="outcome")
    assert [field["type"] for field in report.fields] == ["number", "string"]
    with serve(tmp_path / "package") as client:
        answers = [client.ask("outcome", row) for row in frame.head(ASKED).to_dict("records")]
    assert answers == pytest.approx(model.predict(frame.head(ASKED)).tolist(), rel=1e-9)
