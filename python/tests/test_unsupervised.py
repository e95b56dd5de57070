"""The running service with clusters, mixtures and detectors of outliers, which were fitted without a target."""

from pathlib import Path

import numpy as np
import pytest
from clusters import UNSUPERVISED
from conftest import serve
from data import numbers
from sklearn.base import clone
from sklearn.cluster import DBSCAN
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor

import predict_once


@pytest.mark.parametrize("name", UNSUPERVISED)
def test_a_model_without_a_target_is_served_as_it_predicts(name: str, tmp_path: Path) -> None:
    X = numbers().drop(columns=["count"])  # of neighbours at equal distances, any is right
    model = clone(UNSUPERVISED[name]).fit(X)
    report = predict_once.export(model, X, tmp_path / "package", target="kind")
    rows = X.head(20)
    wanted = {"kind": model.predict(rows).tolist()}
    for method, name_of in (("decision_function", "kind_decision"), ("score_samples", "kind_score")):
        if hasattr(model, method):
            wanted[name_of] = getattr(model, method)(rows).tolist()
    if hasattr(model, "predict_proba"):
        wanted["kind_probabilities"] = [{str(i): p for i, p in enumerate(row)} for row in model.predict_proba(rows).tolist()]
    assert {entry["name"] for entry in report.predictions} == set(wanted)
    with serve(tmp_path / "package") as client:
        for endpoint, values in wanted.items():
            answers = [client.ask(endpoint, row) for row in rows.to_dict("records")]
            for answer, value in zip(answers, values, strict=True):
                assert answer == (value if endpoint == "kind" else pytest.approx(value, rel=1e-9, abs=1e-9))


def test_outliers_and_inliers_can_have_names(tmp_path: Path) -> None:
    X = numbers()
    model = IsolationForest(n_estimators=10, contamination=0.1, random_state=0).fit(X)
    report = predict_once.export(model, X, tmp_path / "package", target="verdict", labels=["odd", "usual"], kinds=["class"])
    assert [entry["kind"] for entry in report.predictions] == ["class"]
    with serve(tmp_path / "package") as client:
        answers = [client.ask("verdict", row) for row in X.head(40).to_dict("records")]
    assert answers == np.where(model.predict(X.head(40)) < 0, "odd", "usual").tolist()
    assert len(set(answers)) == 2


@pytest.mark.parametrize(
    ("model", "why"),
    [(LocalOutlierFactor(), "novelty=True"), (DBSCAN(), "DBSCAN, which cannot be exported")],
    ids=["LocalOutlierFactor", "DBSCAN"],
)
def test_what_cannot_predict_new_rows_is_refused(model: object, why: str, tmp_path: Path) -> None:
    X = numbers()
    with pytest.raises(predict_once.ExportError, match=why):
        predict_once.export(model.fit(X), X, tmp_path / "package", target="kind")  # type: ignore[attr-defined]
