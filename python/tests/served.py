"""Exports a model, starts the service on the package, and compares its answers with the training library's."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import plain, serve
from data import target
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from xgboost import XGBClassifier

import predict_once

ASKED = 60  # rows over HTTP; export has already compared all rows through ONNX Runtime


def fitted(model: Any, X: pd.DataFrame, kind: str) -> tuple[Any, list[Any] | None]:
    """The fitted model, and the names of its classes if the library only supports numbered ones."""
    y = target(X, kind)
    labels = None
    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    if isinstance(last, XGBClassifier):
        classes, y = np.unique(y, return_inverse=True)
        labels = [plain(label) for label in classes]
    return model.fit(X, y), labels


def assert_served(
    model: Any, X: pd.DataFrame, folder: Path, labels: list[Any] | None = None, rows: pd.DataFrame | None = None
) -> None:
    """Exports the model, asks the service for some rows (the first of X), and compares."""
    report = predict_once.export(model, X, folder / "package", target="outcome", labels=labels, overwrite=True)
    asked = [field["name"] for field in report.fields]
    tolerance = tomllib.loads((folder / "package/model.toml").read_text())["golden"]["tolerance"]
    rows = X.head(ASKED) if rows is None else rows
    predicted = np.asarray(model.predict(rows)).reshape(len(rows), -1)[:, 0]
    probabilities = model.predict_proba(rows) if is_classifier(model) and hasattr(model, "predict_proba") else None
    with serve(folder / "package") as client:
        for position, row in enumerate(rows[asked].to_dict("records")):
            answer, expected = client.ask("outcome", row), plain(predicted[position])
            if not is_classifier(model):
                assert answer == pytest.approx(expected, rel=tolerance, abs=tolerance)
                continue
            assert answer == (labels[expected] if labels else expected)
            if probabilities is not None:
                answered = list(client.ask("outcome_probabilities", row).values())
                assert answered == pytest.approx(probabilities[position], abs=tolerance)
