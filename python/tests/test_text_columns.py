"""Texts beside numbers and categories: the service answers what scikit-learn, LightGBM and XGBoost answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import plain, serve
from lightgbm import LGBMClassifier
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from xgboost import XGBClassifier

import predict_once
from predict_once import ExportError

ROWS = 200
WORDS = [*(f"w{index}" for index in range(40)), "café", "don't", "C++", "good", "bad"]


def reviews() -> pd.DataFrame:
    """Two columns of texts, a number and a category."""
    random = np.random.default_rng(0)

    def texts(most: int) -> list[str]:
        return [" ".join(random.choice(WORDS, random.integers(0, most))) for _ in range(ROWS)]

    return pd.DataFrame(
        {
            "review": texts(20),
            "title": texts(5),
            "price": np.round(random.gamma(2, 20, ROWS), 2),
            "kind": random.choice(["a", "b", "c"], ROWS),
        }
    )


X = reviews()
ASKED = pd.concat(
    [
        X.head(30),
        pd.DataFrame(
            {"review": ["", "unknown words", "GOOD good 漢字"], "title": ["", "w1", "é"], "price": 0.0, "kind": ["a", "b", "c"]}
        ),
    ],
    ignore_index=True,
)


def columns(vectorizer: Any, *others: Any) -> Any:
    return make_column_transformer(
        (vectorizer, "review"), (StandardScaler(), ["price"]), (OneHotEncoder(handle_unknown="ignore"), ["kind"]), *others
    )


def targets(model: Any) -> Any:
    score = X["review"].str.count("good") - X["review"].str.count("bad") + X["price"] / 40
    return (score > score.median()).astype(int) if is_classifier(model) else score


MODELS = {
    "linear": make_pipeline(columns(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)), LogisticRegression()),
    "regression": make_pipeline(columns(TfidfVectorizer()), Ridge()),
    "hashed": make_pipeline(columns(HashingVectorizer(n_features=512)), SGDClassifier(loss="log_loss", random_state=0)),
    "two columns of texts": make_pipeline(columns(TfidfVectorizer(), (CountVectorizer(), "title")), LogisticRegression()),
    "words and characters": make_pipeline(
        columns(make_union(TfidfVectorizer(), TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3)))), LogisticRegression()
    ),
    "one column twice": make_pipeline(
        columns(CountVectorizer(), (CountVectorizer(analyzer="char"), "review")), LogisticRegression(max_iter=1000)
    ),
    "counts, then weights": make_pipeline(
        columns(make_pipeline(CountVectorizer(), TfidfTransformer(sublinear_tf=True))), LogisticRegression()
    ),
    "hashes, then weights": make_pipeline(
        columns(make_pipeline(HashingVectorizer(n_features=256, alternate_sign=False), TfidfTransformer())), LogisticRegression()
    ),
    "components": make_pipeline(
        columns(make_pipeline(TfidfVectorizer(), TruncatedSVD(4, random_state=0))), RandomForestClassifier(5, random_state=0)
    ),
    "selection": make_pipeline(columns(TfidfVectorizer()), SelectKBest(k=20), LogisticRegression()),
    "forest": make_pipeline(columns(TfidfVectorizer()), RandomForestClassifier(10, random_state=0)),
    "lightgbm": make_pipeline(columns(TfidfVectorizer()), LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1)),
    "xgboost, to which zeros are missing": make_pipeline(columns(TfidfVectorizer()), XGBClassifier(n_estimators=10, n_jobs=1)),
    "bayes": make_pipeline(make_column_transformer((CountVectorizer(), "review"), (MinMaxScaler(), ["price"])), MultinomialNB()),
    "voting of pipelines": VotingClassifier(
        [
            ("words", make_pipeline(columns(TfidfVectorizer()), LogisticRegression())),
            ("counts", make_pipeline(columns(CountVectorizer(max_features=20)), RandomForestClassifier(5, random_state=0))),
        ],
        voting="soft",
    ),
    "calibrated": CalibratedClassifierCV(make_pipeline(columns(TfidfVectorizer()), LinearSVC()), cv=2),
}


@pytest.mark.parametrize("name", MODELS)
def test_texts_beside_other_columns_are_served_as_they_are_predicted(name: str, tmp_path: Path) -> None:
    model = MODELS[name].fit(X, targets(MODELS[name]))
    report = predict_once.export(model, X, tmp_path / "package", target="outcome")
    fields = {field["name"]: field["type"] for field in report.fields}
    assert fields["review"] == "text" and fields["price"] == "number"
    tolerance = 1e-5 if "xgboost" in name else 1e-9
    expected = model.predict(ASKED)
    shares = model.predict_proba(ASKED) if hasattr(model, "predict_proba") else None
    with serve(tmp_path / "package") as client:
        for position, row in enumerate(ASKED[list(fields)].to_dict("records")):
            assert client.ask("outcome", row) == pytest.approx(plain(expected[position]), rel=tolerance), row
            if shares is not None:
                answered = list(client.ask("outcome_probabilities", row).values())
                assert answered == pytest.approx(shares[position], abs=tolerance), row


def test_more_texts_than_a_category_has_values_are_a_field_of_texts(tmp_path: Path) -> None:
    many = pd.DataFrame({"note": [f"w{index} x{index % 9}" for index in range(11_000)], "n": np.arange(11_000) % 7})
    encoded = make_column_transformer((CountVectorizer(max_features=50), "note"), remainder="passthrough")
    model = make_pipeline(encoded, LogisticRegression(max_iter=300)).fit(many, many["note"].str.endswith(("1", "2", "3")))
    report = predict_once.export(model, many, tmp_path / "package", target="outcome")
    assert [field["type"] for field in report.fields] == ["text", "integer"]


def test_a_column_that_is_a_text_to_one_step_and_a_category_to_another_is_refused_with_both(tmp_path: Path) -> None:
    encoded = make_column_transformer((TfidfVectorizer(token_pattern=r"\w"), "kind"), (OneHotEncoder(), ["kind"]))
    model = make_pipeline(encoded, LogisticRegression()).fit(X, targets(LogisticRegression()))
    with pytest.raises(ExportError, match=r"column 'kind', which .*onehotencoder.*TfidfVectorizer\) reads it as a text"):
        predict_once.export(model, X, tmp_path / "package", target="outcome")
