"""The running service answers with the classes and targets of the model, their types and names unchanged."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import serve
from data import mixed, numbers, target
from served import assert_served
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import predict_once
from predict_once import ExportError


def classes_of(labels: list[Any]) -> Any:
    """A class for each row; every label occurs."""
    codes = np.argsort(np.argsort(target(numbers(), "regression"))) * len(labels) // len(numbers())
    return np.asarray(labels)[codes]


@pytest.mark.parametrize(
    "labels",
    [[False, True], [1, 2], [-1, 1], [10, 20, 30], ["no/n", "ja: ü"], ["a b", "ç\\d", '"e"'], ["true", "false"]],
    ids=str,
)
def test_labels_keep_their_type_and_their_text(labels: list[Any], tmp_path: Path) -> None:
    X = numbers()
    model = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, classes_of(labels))
    assert_served(model, X, tmp_path)
    with serve(tmp_path / "package") as client:
        answers = [client.ask("outcome", row) for row in X.iloc[::4].to_dict("records")]
        named = client.ask("outcome_probabilities", X.iloc[0].to_dict())
    assert {type(answer) for answer in answers} == {type(labels[0])}
    assert set(answers) == set(labels)
    assert set(named) == {str(label).lower() if isinstance(label, bool) else str(label) for label in labels}


def test_endpoints_follow_from_the_target_and_the_kind(tmp_path: Path) -> None:
    X = numbers()
    y = target(X, "regression")
    classifier = DecisionTreeClassifier(max_depth=3).fit(X, y > 0)
    regressor = DecisionTreeRegressor(max_depth=3).fit(X, y)

    def endpoints(model: Any, **arguments: Any) -> tuple[str, ...]:
        return predict_once.export(model, X, tmp_path / "package", target="kind", overwrite=True, **arguments).endpoints

    assert endpoints(classifier) == ("/kind", "/kind_probabilities")
    assert endpoints(regressor) == ("/kind",)
    assert endpoints(classifier, kinds=["probability"]) == ("/kind_probability",)
    assert endpoints(classifier, endpoints={"probabilities": "shares"}) == ("/kind", "/shares")
    assert endpoints(regressor, endpoints={"value": "/number/"}) == ("/number",)
    assert endpoints(LinearSVC(random_state=0).fit(X, y > 0)) == ("/kind",)  # has no probabilities


def test_labels_of_pandas_categories_are_texts(tmp_path: Path) -> None:
    X = numbers()
    y = pd.Series(classes_of(["low", "high"]), dtype="category")
    assert_served(DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, y), X, tmp_path)


def test_labels_that_the_model_knows_by_number_are_given_names(tmp_path: Path) -> None:
    X = numbers()
    model = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X, classes_of([0, 1]))
    predict_once.export(model, X, tmp_path / "package", target="outcome", labels=["declined", "accepted"])
    with serve(tmp_path / "package") as client:
        answer = client.ask("outcome", X.iloc[0].to_dict())
    assert answer == ["declined", "accepted"][int(model.predict(X.head(1))[0])]


@pytest.mark.parametrize(
    ("labels", "part"),
    [(["1", 1], "the same text"), (["one"], "2 classes"), (["", "x"], "''"), (["a\nb", "x"], "control characters")],
    ids=["alike", "too-few", "empty", "two-lines"],
)
def test_labels_that_cannot_be_answered_are_refused(labels: list[Any], part: str, tmp_path: Path) -> None:
    X = numbers()
    model = DecisionTreeClassifier(max_depth=2).fit(X, classes_of([0, 1]))
    with pytest.raises(ExportError, match=part):
        predict_once.export(model, X, tmp_path / "package", target="outcome", labels=labels)
    assert not list(tmp_path.iterdir())


def test_a_boolean_column_is_a_boolean_of_the_api(tmp_path: Path) -> None:
    X = mixed()[["a", "new"]]
    model = LogisticRegression().fit(X, target(numbers(), "binary"))
    assert_served(model, X, tmp_path)
    assert 'name = "new"\ntype = "boolean"' in (tmp_path / "package/model.toml").read_text()


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        ("Größe in m²", "Grosse_in_m2"),
        ("rent / month", "rent_month"),
        ("is new?", "is_new"),
        ("input", "input"),
        ("Problem", "Problem"),
    ],
)
def test_a_target_keeps_its_name_in_answers_and_has_an_endpoint_of_ascii(name: str, endpoint: str, tmp_path: Path) -> None:
    X = numbers()
    model = DecisionTreeRegressor(max_depth=3).fit(X, target(X, "regression"))
    report = predict_once.export(model, X, tmp_path / "package", target=name)
    assert report.endpoints == (f"/{endpoint}",)
    with serve(tmp_path / "package") as client:
        assert client.answer(endpoint, X.iloc[0].to_dict()) == {name: pytest.approx(model.predict(X.head(1))[0], rel=1e-5)}
