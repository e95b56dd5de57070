"""What the API does with a text that the model has not seen, as the owner chooses with `unknown`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import serve
from data import categorical, mixed, target
from lightgbm import LGBMClassifier
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import predict_once


def imputed() -> Any:
    """Missing and unknown cities have different answers."""
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    model = make_pipeline(make_column_transformer((texts, ["city"]), remainder="drop"), LogisticRegression())
    X = mixed(missing=True)
    return model.fit(X, target(X, "binary")), X


def shares(model: Any, X: Any, city: Any) -> Any:
    row = X.head(1).astype({"city": object}).assign(city=[city])
    return pytest.approx(model.predict_proba(row)[0].tolist(), abs=1e-9)


@pytest.mark.parametrize(("rule", "as_city"), [(None, "Gotham"), ("ignore", "Gotham"), ("missing", np.nan)])
def test_an_unknown_text_is_answered_as_the_owner_chose(rule: Any, as_city: Any, tmp_path: Path) -> None:
    model, X = imputed()
    predict_once.export(model, X, tmp_path / "package", target="outcome", unknown=rule)
    assert shares(model, X, "Gotham") != list(model.predict_proba(X.head(1).assign(city=[np.nan]))[0])
    with serve(tmp_path / "package") as client:
        for city, wanted in (("Gotham", as_city), ("Łódź", "Łódź"), (None, np.nan)):
            answer = list(client.ask("outcome_probabilities", {"city": city}).values())
            assert answer == shares(model, X, wanted), city


def test_an_unknown_text_can_be_refused_although_the_encoder_has_a_rule(tmp_path: Path) -> None:
    model, X = imputed()
    report = predict_once.export(model, X, tmp_path / "package", target="outcome", unknown={"city": "refuse"})
    assert "unknown" not in report.fields[0]
    with serve(tmp_path / "package") as client:
        client.answer("outcome", {"city": "Gotham"}, status=422)
        assert list(client.ask("outcome_probabilities", {"city": None}).values()) == shares(model, X, np.nan)


@pytest.mark.parametrize("rule", ["refuse", "missing"])
def test_an_unknown_category_of_boosting_can_be_refused_or_missing(rule: Any, tmp_path: Path) -> None:
    X = categorical()
    model = LGBMClassifier(n_estimators=9, verbose=-1, n_jobs=1).fit(X, target(X, "binary"))
    predict_once.export(model, X, tmp_path / "package", target="outcome", unknown=rule)
    row = X.iloc[0].to_dict()
    with serve(tmp_path / "package") as client:
        if rule == "refuse":
            client.answer("outcome", row | {"city": "Gotham"}, status=422)
        else:
            assert client.ask("outcome_probabilities", row | {"city": "Gotham"}) == client.ask(
                "outcome_probabilities", row | {"city": None}
            )


@pytest.mark.parametrize(
    ("unknown", "message"),
    [
        ("ignore", "no rule for unknown values of column 'city'.*handle_unknown"),
        ("missing", "does not accept missing values of column 'city'"),
        ({"count": "refuse"}, "unknown refers to unknown 'count'"),
        ("other", "unknown refers to unknown 'other'"),
    ],
)
def test_a_rule_that_the_model_does_not_have_is_refused(unknown: Any, message: str, tmp_path: Path) -> None:
    X = mixed()
    model = make_pipeline(make_column_transformer((OneHotEncoder(), ["city"])), LogisticRegression())
    with pytest.raises(predict_once.ExportError, match=message):
        predict_once.export(model.fit(X, target(X, "binary")), X, tmp_path / "package", target="outcome", unknown=unknown)
