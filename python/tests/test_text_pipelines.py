"""Pipelines that begin with a vectorizer of texts: the service answers what scikit-learn answers."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import serve
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC

import predict_once
from predict_once import ExportError

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "crates/text-input/tests"))
from hostile import texts as hostile

TEXTS = hostile(400, seed=3)
CLASSES = np.array(["short" if len(text) < 40 else "words" if " " in text else "long" for text in TEXTS])
ASKED = [*hostile(60, seed=4), "", "the quick brown fox", "words " * 30]


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(TfidfVectorizer(), LogisticRegression()),
        make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, stop_words="english"), LinearSVC()),
        make_pipeline(CountVectorizer(analyzer="char_wb", ngram_range=(2, 3)), MultinomialNB()),
        make_pipeline(CountVectorizer(strip_accents="unicode"), TfidfTransformer(sublinear_tf=True), ComplementNB()),
        make_pipeline(HashingVectorizer(n_features=2**12), SGDClassifier(loss="log_loss", random_state=0)),
        make_pipeline(TfidfVectorizer(max_features=300), RandomForestClassifier(20, random_state=0)),
        make_pipeline(TfidfVectorizer(max_features=300), TruncatedSVD(8, random_state=0), LogisticRegression()),
    ],
    ids=lambda model: "-".join(type(step).__name__ for _, step in model.steps),
)
def test_a_pipeline_of_texts_is_served_as_scikit_learn_answers(model: Pipeline, tmp_path: Path) -> None:
    model.fit(TEXTS, CLASSES)
    report = predict_once.export(model, TEXTS, tmp_path / "package", target="form")
    assert report.largest_difference < 1e-9 and not report.other_class
    expected = model.predict(ASKED)
    shares = model.predict_proba(ASKED) if hasattr(model, "predict_proba") else None
    with serve(tmp_path / "package") as client:
        for row, text in enumerate(ASKED):
            assert client.ask("form", {"text": text}) == expected[row], text
            if shares is not None:
                answered = client.ask("form_probabilities", {"text": text})
                assert list(answered.values()) == pytest.approx(shares[row].tolist(), rel=1e-9, abs=1e-12), text


def test_a_regression_on_texts_is_served(tmp_path: Path) -> None:
    model = make_pipeline(TfidfVectorizer(), Ridge()).fit(TEXTS, [float(len(text)) for text in TEXTS])
    predict_once.export(model, TEXTS, tmp_path / "package", target="length")
    with serve(tmp_path / "package") as client:
        for text, expected in zip(ASKED, model.predict(ASKED).tolist(), strict=True):
            assert client.ask("length", {"text": text}) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("vectorizer", "message"),
    [
        (TfidfVectorizer(tokenizer=str.split), "tokenizer is a Python function"),
        (CountVectorizer(analyzer=str.split), "analyzer is a Python function"),
        (TfidfVectorizer(preprocessor=str.lower), "preprocessor is a Python function"),
        (TfidfVectorizer(dtype=np.float32, sublinear_tf=True), "sublinear_tf in float32 is not supported"),
        (HashingVectorizer(), "has 1,048,576 columns, but a field has at most 131,072"),
    ],
)
def test_a_vectorizer_with_a_python_function_is_refused_by_name(vectorizer: Any, message: str, tmp_path: Path) -> None:
    model = make_pipeline(vectorizer, LogisticRegression()).fit(TEXTS, CLASSES)
    with pytest.raises(ExportError, match=message):
        predict_once.export(model, TEXTS, tmp_path / "package", target="form")


def test_a_model_without_a_vectorizer_leaves_none_of_the_package_that_it_replaces(tmp_path: Path) -> None:
    directory = tmp_path / "package"
    texts = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, CLASSES)
    predict_once.export(texts, TEXTS, directory, target="form")
    assert (directory / "vectorizer.json").exists()
    (directory / "notes.json").write_text("{}")
    X = pd.DataFrame({"length": [float(len(text)) for text in TEXTS]})
    predict_once.export(LogisticRegression().fit(X, CLASSES), X, directory, target="form", overwrite=True)
    assert sorted(file.name for file in directory.iterdir()) == ["golden.jsonl", "model.onnx", "model.toml", "notes.json"]


def test_a_pipeline_of_texts_cannot_be_explained_yet(tmp_path: Path) -> None:
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["a good day", "a bad day"], [1, 0])
    with pytest.raises(ExportError, match="contributions of models that read texts are not supported"):
        predict_once.export(model, ["a good day"], tmp_path / "package", target="mood", explain=True)
