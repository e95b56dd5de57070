"""The running service with preprocessing in front of an estimator: a part of `python/tests/run --matrix`."""

from pathlib import Path

import pytest
from estimators import PREPARATIONS, model_for
from served import assert_served, fitted

CASES = [
    *(
        (name, preparation, "binary")
        for preparation in ("one-hot, standard, passthrough", "ordinal, min-max, drop", "one-hot less first, robust")
        for name in ("LogisticRegression", "RandomForestClassifier", "MLPClassifier", "LGBMClassifier")
    ),
    ("SVC, probability=True", "one-hot, standard, passthrough", "classes"),
    ("CatBoostClassifier", "ordinal, min-max, drop", "classes"),
    ("Ridge", "one-hot, standard, passthrough", "regression"),
    ("XGBRegressor", "imputed numbers and texts", "regression"),
    ("LogisticRegression", "imputed numbers and texts", "classes"),
    ("RandomForestClassifier", "imputed numbers and texts", "classes"),
    ("LGBMClassifier", "imputed numbers and texts", "classes"),  # has thresholds next to the imputed mean
    ("LGBMClassifier", "pandas categories", "binary"),
    ("XGBClassifier", "pandas categories", "binary"),
    ("HistGradientBoostingClassifier", "pandas categories", "binary"),
]


@pytest.mark.parametrize(("name", "preparation", "kind"), CASES)
def test_a_model_behind_preprocessing_is_served_as_it_predicts(name: str, preparation: str, kind: str, tmp_path: Path) -> None:
    before = PREPARATIONS[preparation]
    X = before.X()
    model, labels = fitted(model_for(name, before), X, kind)
    assert_served(model, X, tmp_path, labels)
