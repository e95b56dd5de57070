"""Probabilities that are more than a softmax: coupled pairs of classes, calibrations, and shares that saturate."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from data import numbers, target
from lightgbm import LGBMClassifier
from served import assert_served
from sklearn import calibration
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_blobs
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.svm import SVC, LinearSVC, NuSVC

from predict_once.graph import INPUT, Graph
from predict_once.lowering.platt import coupled, number


@pytest.mark.parametrize(
    "model",
    [
        SVC(kernel="poly", probability=True, random_state=0),
        SVC(decision_function_shape="ovo", probability=True, random_state=0),
        NuSVC(probability=True, random_state=0),
        VotingClassifier([("a", SVC(probability=True, random_state=0)), ("b", LogisticRegression())], voting="soft"),
        BaggingClassifier(SVC(probability=True), n_estimators=3, random_state=0),
        StackingClassifier([("a", SVC()), ("b", SVC(probability=True, random_state=0))]),
    ],
    ids=["poly", "ovo", "nu", "voting", "bagging", "stacking"],
)
def test_coupled_probabilities_are_served_and_the_class_is_the_vote(model: Any, tmp_path: Path) -> None:
    X = numbers()
    assert_served(model.fit(X, target(X, "classes")), X, tmp_path)


def test_ten_classes_are_coupled(tmp_path: Path) -> None:
    X = numbers().drop(columns=["count"])
    _, y = make_blobs(len(X), centers=10, random_state=0)
    X = X + np.stack([np.cos(y), np.sin(y), y / 5, np.cos(2 * y)], axis=1)
    assert_served(SVC(probability=True, random_state=0).fit(X, y), X, tmp_path)


def reference(first: Any, size: int) -> tuple[Any, Any]:
    """libsvm's `multiclass_probability` for many rows: the shares, and how many rounds each row took."""
    r = np.zeros((len(first), size, size))
    for index, (one, other) in enumerate(combinations(range(size), 2)):
        r[:, one, other], r[:, other, one] = first[:, index], 1 - first[:, index]
    q = -r.transpose(0, 2, 1) * r
    for t in range(size):
        q[:, t, t] = (r[:, :, t] ** 2).sum(axis=1)
    p, rounds = np.full((len(first), size), 1 / size), np.zeros(len(first), dtype=int)
    running = np.ones(len(first), dtype=bool)
    for _ in range(100):
        qp = np.einsum("ntj,nj->nt", q, p)
        pqp = (p * qp).sum(axis=1)
        running &= np.abs(qp - pqp[:, None]).max(axis=1) >= 0.005 / size
        rounds += running
        for t in range(size):
            d = np.where(running, (pqp - qp[:, t]) / q[:, t, t], 0)
            pqp = (pqp + d * (d * q[:, t, t] + 2 * qp[:, t])) / (1 + d) / (1 + d)
            qp = (qp + d[:, None] * q[:, t]) / (1 + d)[:, None]
            p[:, t] += d
            p /= (1 + d)[:, None]
    return p, rounds


@pytest.mark.parametrize("size", [2, 3, 5, 10])
def test_the_unrolled_rounds_are_all_that_libsvm_takes(size: int) -> None:
    random = np.random.default_rng(size)
    pairs = size * (size - 1) // 2
    spread = random.choice([0.1, 1, 3, 8, 20], size=(20_000 // size, 1))
    first = np.clip(1 / (1 + np.exp(-random.normal(size=(len(spread), pairs)) * spread)), 1e-7, 1 - 1e-7)
    if size == 2:  # one number: every value of it
        first = np.clip(1 / (1 + np.exp(-np.linspace(-17, 17, 20_001))), 1e-7, 1 - 1e-7)[:, np.newaxis]
    expected, rounds = reference(first, size)
    assert rounds.max() <= (2 if size == 2 else 4)
    graph = Graph()
    shares = coupled(graph, INPUT, size)
    model = graph.finish(graph.node("Mul", shares, number(graph, 1)), [f"x{index}" for index in range(pairs)], size)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert session.run(None, {INPUT: first})[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", ["binary", "classes"])
@pytest.mark.parametrize(
    "model",
    [
        CalibratedClassifierCV(RandomForestClassifier(20, random_state=0), method="isotonic", cv=3),
        CalibratedClassifierCV(SVC(), method="isotonic", cv=3, ensemble=False),
        CalibratedClassifierCV(LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1), method="isotonic", cv=3),
        CalibratedClassifierCV(RandomForestClassifier(20, random_state=0), cv=3),
        CalibratedClassifierCV(SVC(), cv=3, ensemble=False),
    ],
    ids=["isotonic-forest", "isotonic-svc", "isotonic-lightgbm", "sigmoid-forest", "sigmoid-svc"],
)
def test_a_calibrated_model_is_served_as_it_predicts(model: Any, kind: str, tmp_path: Path) -> None:
    X = numbers()
    assert_served(model.fit(X, target(X, kind)), X, tmp_path)


@pytest.mark.skipif(not hasattr(calibration, "_TemperatureScaling"), reason="scikit-learn has temperatures since 1.8")
@pytest.mark.parametrize("kind", ["binary", "classes"])
@pytest.mark.parametrize("estimator", [SVC(), RandomForestClassifier(20, random_state=0)], ids=["decisions", "probabilities"])
def test_a_temperature_is_served_as_it_predicts(estimator: Any, kind: str, tmp_path: Path) -> None:
    X = numbers()
    # scikit-learn 1.9.1 takes numeric classes for positions here: 10 would read beyond its memory.
    y = np.unique(target(X, kind), return_inverse=True)[1]
    assert_served(CalibratedClassifierCV(estimator, method="temperature", cv=3).fit(X, y), X, tmp_path)


def test_scores_whose_sigmoids_vanish_in_float32_have_probabilities(tmp_path: Path) -> None:
    X = numbers()
    model = CalibratedClassifierCV(LinearSVC(random_state=0)).fit(X, target(X, "classes"))
    assert_served(model, X * 100, tmp_path)


def test_large_scores_of_one_versus_rest_have_the_predicted_class(tmp_path: Path) -> None:
    X = numbers() * 10
    model = SGDClassifier(loss="log_loss", random_state=0).fit(X, target(numbers(), "classes"))
    saturated = model.decision_function(X) > 40  # whose sigmoid is 1 in float64, too
    assert (saturated.sum(axis=1) > 1).any()
    assert_served(model, X, tmp_path)


@pytest.mark.skipif("multi_class" not in LogisticRegression().get_params(), reason="until scikit-learn 1.7")
@pytest.mark.parametrize(("multi_class", "kind"), [("ovr", "classes"), ("ovr", "binary"), ("multinomial", "binary")])
def test_a_logistic_regression_that_chose_its_probabilities_is_served_as_it_predicts(
    multi_class: str, kind: str, tmp_path: Path
) -> None:
    X = numbers()
    assert_served(LogisticRegression(multi_class=multi_class, max_iter=500).fit(X, target(X, kind)), X, tmp_path)
