"""Encoders of category_encoders are tables: the service answers what they make of known, unknown and missing categories."""

from pathlib import Path
from typing import Any

import category_encoders
import numpy as np
import pandas as pd
import pytest
from served import assert_served
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import predict_once
from predict_once import ExportError
from predict_once.columns.transformers import MODULES

ENCODERS = (
    "OrdinalEncoder OneHotEncoder TargetEncoder CountEncoder BinaryEncoder BaseNEncoder LeaveOneOutEncoder JamesSteinEncoder "
    "MEstimateEncoder CatBoostEncoder WOEEncoder GLMMEncoder QuantileEncoder HelmertEncoder SumEncoder BackwardDifferenceEncoder "
    "PolynomialEncoder GrayEncoder RankHotEncoder"
)

WITHOUT_TABLES = {"HashingEncoder": {"max_process": 1}, "SummaryEncoder": {}}


def rows() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": random.integers(18, 90, 240),
            "city": random.choice(["Oslo", "Łódź", "Gdańsk"], 240),
            "plan": random.choice(["b", "a"], 240),
        }
    )


def answers(X: pd.DataFrame) -> Any:
    return (X["age"] + 20 * (X["city"] == "Oslo") + 10 * (X["plan"] == "a") > 60).astype(int)


def hard(X: pd.DataFrame) -> pd.DataFrame:
    """Rows with a category that no encoder knows, and without one."""
    asked = X.head(30).copy()
    asked.loc[0, "city"], asked.loc[1, "city"], asked.loc[2, "plan"] = "Bergen", np.nan, "c"
    return asked


def test_every_encoder_is_tested() -> None:
    supported = {name.removeprefix("category_encoders.") for name in MODULES if name.startswith("category_encoders.")}
    assert supported == {*ENCODERS.split(), *WITHOUT_TABLES}


@pytest.mark.parametrize("name", ENCODERS.split())
def test_an_encoder_is_served_as_it_transforms(name: str, tmp_path: Path) -> None:
    X = rows()
    encoder = getattr(category_encoders, name)(cols=["city", "plan"])
    model = make_pipeline(encoder, StandardScaler(), LogisticRegression()).fit(X, answers(X))
    assert_served(model, X, tmp_path, rows=hard(X))


def test_an_encoder_beside_others_and_of_whole_numbers_is_served(tmp_path: Path) -> None:
    X = rows().assign(store=np.tile([7, 100, 31], 80))
    encoded = make_column_transformer(
        (StandardScaler(), ["age"]),
        (category_encoders.TargetEncoder(), ["city", "plan"]),
        (category_encoders.CountEncoder(cols=["store"]), ["store"]),
    )
    model = make_pipeline(encoded, LogisticRegression()).fit(X, answers(X))
    assert_served(model, X, tmp_path, rows=hard(X).assign(store=[5, *[7, 100] * 14, 31]))


def test_an_encoder_that_refuses_unknown_categories_makes_the_api_refuse_them(tmp_path: Path) -> None:
    X = rows()
    encoder = category_encoders.OrdinalEncoder(handle_unknown="error", handle_missing="error")
    model = make_pipeline(encoder, LogisticRegression(max_iter=1000)).fit(X, answers(X))
    report = predict_once.export(model, X, tmp_path / "package", target="outcome")
    city = next(field for field in report.fields if field["name"] == "city")
    assert "unknown" not in city and "required" not in city


@pytest.mark.parametrize("name", WITHOUT_TABLES)
def test_an_encoder_without_a_table_is_refused_by_name(name: str, tmp_path: Path) -> None:
    X = rows()
    encoder = getattr(category_encoders, name)(cols=["city", "plan"], **WITHOUT_TABLES[name])
    model = make_pipeline(encoder, LogisticRegression(max_iter=1000)).fit(X, answers(X))
    with pytest.raises(ExportError, match=rf"\({name}\) has no table of categories"):
        predict_once.export(model, X, tmp_path / "package", target="outcome")
