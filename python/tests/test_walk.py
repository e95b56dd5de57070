"""Every estimator of scikit-learn is served, or refused for a reason."""

import warnings
from pathlib import Path
from typing import Any

import pytest
from data import numbers, target
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.utils import all_estimators
from walk import REFUSED, names, served

import predict_once

KINDS = dict(all_estimators())


def test_every_estimator_of_scikit_learn_is_served_or_refused_for_a_reason() -> None:
    known = set(names())
    assert known == served() & known | set(REFUSED)
    assert not served() & set(REFUSED)


def test_what_is_listed_as_refused_is_refused(tmp_path: Path) -> None:
    X = numbers().abs().head(60)
    tried = set()
    for name in sorted(set(REFUSED) & set(KINDS)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model: Any = KINDS[name]()
                if not hasattr(model, "predict"):
                    model = make_pipeline(model, Ridge())
                model.fit(X, target(numbers(), "binary" if "Classifier" in name else "regression")[:60])
            except (TypeError, ValueError, AttributeError, IndexError):
                continue  # scikit-learn itself does not fit it on columns of numbers, or has nothing for a Pipeline
        tried.add(name)
        with pytest.raises(predict_once.ExportError):
            predict_once.export(model, X, tmp_path / "package", target="outcome")
    assert {"RadiusNeighborsRegressor", "GaussianProcessClassifier", "NMF", "Isomap", "RandomTreesEmbedding"} <= tried
