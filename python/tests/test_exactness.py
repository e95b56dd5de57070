"""The graph answers what the library predicts for every number: at and beside each threshold, behind each scaler, in float64."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from data import numbers, target
from lightgbm import LGBMClassifier, LGBMRegressor
from served import assert_served
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier, XGBRegressor

import predict_once
from predict_once import ExportError
from predict_once.service import Runner, answers

CLASSIFIERS = [
    RandomForestClassifier(20, random_state=0),
    GradientBoostingClassifier(n_estimators=10, random_state=0),
    HistGradientBoostingClassifier(max_iter=10),
    BaggingClassifier(n_estimators=5, random_state=0),
    AdaBoostClassifier(n_estimators=5, random_state=0),
    LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1),
    XGBClassifier(n_estimators=10, n_jobs=1),
]
REGRESSORS = [
    RandomForestRegressor(10, random_state=0),
    GradientBoostingRegressor(n_estimators=10),
    LGBMRegressor(n_estimators=10, verbose=-1, n_jobs=1),
    XGBRegressor(n_estimators=10, n_jobs=1),
]
DATA: list[Callable[..., Any]] = [load_iris, load_breast_cancer]


def name_of(estimator: Any) -> str:
    return type(estimator).__name__


def exported(model: Any, X: Any, folder: Path, **arguments: Any) -> tuple[Any, onnx.ModelProto]:
    report = predict_once.export(model, X, folder / "package", target="y", overwrite=True, **arguments)
    return report, onnx.load(folder / "package/model.onnx")


def disagreeing(model: Any, report: Any, graph: onnx.ModelProto, rows: pd.DataFrame) -> int:
    """How many rows the graph answers otherwise than the library, by more than 1e-9 (XGBoost: 1e-5)."""
    output = Runner(graph, report.fields).run(rows.to_dict("records"))
    tolerance = 1e-5 if output.dtype == np.float32 else 1e-9
    if not is_classifier(model):
        wanted = model.predict(rows)
        return int((np.abs(output[:, 0] - wanted) > tolerance * np.maximum(1, np.abs(wanted))).sum())
    differs = np.abs(output - model.predict_proba(rows)).max(axis=1) > tolerance
    positions = {label: position for position, label in enumerate(model.classes_)}
    other = answers(report.predictions[0], output) != np.array([positions[label] for label in model.predict(rows)])
    return int((differs | other).sum())


@pytest.mark.parametrize("scaler", [None, StandardScaler(), MinMaxScaler(), RobustScaler(), MaxAbsScaler()], ids=name_of)
@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=name_of)
def test_trees_on_real_data_are_exact_behind_each_scaler(estimator: Any, scaler: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for load in DATA:
        data = load(as_frame=True)
        X, y = data.data.iloc[:, :10], data.target
        model = clone(estimator) if scaler is None else make_pipeline(clone(scaler), clone(estimator))
        report, graph = exported(model.fit(X, y), X, tmp_path)
        rows = pd.DataFrame({name: random.choice(X[name], 2000) for name in X})
        assert disagreeing(model, report, graph, rows) == 0


@pytest.mark.parametrize("estimator", REGRESSORS, ids=name_of)
def test_sums_of_trees_are_exact_behind_a_scaler(estimator: Any, tmp_path: Path) -> None:
    data = load_diabetes(as_frame=True, scaled=False)
    model = make_pipeline(StandardScaler(), clone(estimator)).fit(data.data, data.target)
    report, graph = exported(model, data.data, tmp_path)
    random = np.random.default_rng(0)
    rows = pd.DataFrame({name: random.choice(data.data[name], 2000) for name in data.data})
    assert disagreeing(model, report, graph, rows) == 0


def coordinates(rows: int = 1500) -> tuple[pd.DataFrame, Any]:
    random = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "lat": np.round(40.5 + random.random(rows) * 0.4, 6),
            "lon": np.round(-74.2 + random.random(rows) * 0.5, 6),
            "at": 1_700_000_000 + random.integers(0, 100, rows),
            "fare": np.round(random.gamma(3, 7, rows), 2),
        }
    )
    noise = random.normal(0, 0.3, rows)
    return X, ((np.sin(X.lat * 300) + np.cos(X.lon * 200) + (X["at"] % 7) / 5 + X.fare / 40 + noise) > 1).astype(int)


@pytest.mark.parametrize(
    "model",
    [
        LGBMClassifier(n_estimators=30, num_leaves=63, verbose=-1, n_jobs=1),
        HistGradientBoostingClassifier(max_iter=30),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(), KNeighborsClassifier()),
        StackingClassifier([("a", HistGradientBoostingClassifier(max_iter=5)), ("b", DecisionTreeClassifier(max_depth=4))]),
    ],
    ids=["lightgbm", "histogram", "linear", "neighbours", "stacking"],
)
def test_coordinates_and_epoch_seconds_are_served_exactly(model: Any, tmp_path: Path) -> None:
    X, y = coordinates()
    assert_served(model.fit(X, y), X, tmp_path)


def test_epoch_seconds_do_not_cancel_in_a_regression(tmp_path: Path) -> None:
    X, _ = coordinates()
    y = (X["at"] - 1_700_000_000) * 1e-3 + X.lat
    assert_served(make_pipeline(StandardScaler(), LinearRegression()).fit(X, y), X, tmp_path)


@pytest.mark.parametrize(
    ("model", "scale", "expected"),
    [
        (RandomForestClassifier(5), 1, onnx.TensorProto.FLOAT),
        (XGBClassifier(n_estimators=3), 1, onnx.TensorProto.FLOAT),
        (make_pipeline(StandardScaler(), RandomForestClassifier(5)), 1, onnx.TensorProto.DOUBLE),
        (make_pipeline(StandardScaler(), XGBClassifier(n_estimators=3)), 1, onnx.TensorProto.DOUBLE),
        (HistGradientBoostingClassifier(max_iter=3), 1, onnx.TensorProto.DOUBLE),
        (LogisticRegression(), 1, onnx.TensorProto.DOUBLE),
        (RandomForestClassifier(5), 1_000_000, onnx.TensorProto.DOUBLE),  # integers beyond what float32 distinguishes
    ],
    ids=["forest", "xgboost", "scaled-forest", "scaled-xgboost", "histogram", "linear", "large-integers"],
)
def test_the_graph_reads_float32_only_where_the_library_rounds_to_it_first(
    model: Any, scale: int, expected: int, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame({"count": random.integers(0, 50, 300) * scale, "x": random.normal(size=300)})
    report, graph = exported(model.fit(X, X.x > 0), X, tmp_path)
    assert graph.graph.input[0].type.tensor_type.elem_type == expected
    assert report.other_class == 0


def test_xgboost_adds_in_its_own_order_to_the_last_bit(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(500, 3)), columns=["a", "b", "c"])
    model = XGBRegressor(n_estimators=100, n_jobs=1).fit(X, X.a * 3 + 100)
    report, graph = exported(model, X, tmp_path)
    output = Runner(graph, report.fields).run(X.to_dict("records"))
    assert np.array_equal(output[:, 0], model.predict(X))


def test_float32_columns_are_rounded_as_the_library_reads_them(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(300, 3)).astype(np.float32), columns=["a", "b", "c"])
    for model in (
        make_pipeline(StandardScaler(), RandomForestClassifier(10, random_state=0)),
        make_pipeline(RobustScaler(), GradientBoostingClassifier(n_estimators=10)),
        HistGradientBoostingClassifier(max_iter=10),
    ):
        assert_served(model.fit(X, X.a + X.b > 0), X, tmp_path)


def test_a_graph_that_differs_only_at_a_threshold_is_refused_with_the_row_the_column_the_step_and_both_answers(
    tmp_path: Path,
) -> None:
    X = pd.DataFrame({"size": np.arange(40.0) * 1.5, "other": np.zeros(40)})
    model = make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=1)).fit(X, X["size"] > 30)
    scaler, tree = model[0], model[1]
    threshold = tree.tree_.threshold[0]

    def strict(rows: pd.DataFrame) -> Any:
        beyond = scaler.transform(rows)[:, 0].astype(np.float32) >= np.float32(threshold)
        return np.where(beyond[:, np.newaxis], [[0.0, 1.0]], [[1.0, 0.0]])

    model.__dict__["predict_proba"] = strict
    with pytest.raises(ExportError) as error:
        predict_once.export(model, X, tmp_path / "package", target="large")
    message = str(error.value)
    assert "hard values" in message and "In row " in message and "column 'size'" in message
    assert "step 'decisiontreeclassifier' (DecisionTreeClassifier)" in message
    assert "{'false': 0.0, 'true': 1.0} from the library and {'false': 1.0, 'true': 0.0} from the package" in message


def test_golden_rows_hold_hard_values_and_are_never_dropped(tmp_path: Path) -> None:
    X, y = coordinates(300)
    report, _ = exported(HistGradientBoostingClassifier(max_iter=5).fit(X, y), X, tmp_path)
    assert report.golden == 200
    lines = (tmp_path / "package/golden.jsonl").read_text().splitlines()
    assert any('"lat"' not in line for line in lines)  # a missing value
    with pytest.raises(ExportError, match="disagrees with the training library"):
        model = DecisionTreeClassifier(max_depth=2).fit(X, y)
        model.predict = lambda rows: np.where(np.asarray(rows)[:, 3] > 70, 1 - y.iloc[0], y.iloc[0])
        predict_once.export(model, X, tmp_path / "other", target="y", kinds=["class"])


def test_equal_distances_of_neighbours_are_named(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.integers(0, 4, (600, 4)), columns=list("abcd"))
    with pytest.raises(ExportError, match="neighbours at equal distances"):
        predict_once.export(KNeighborsClassifier().fit(X, X.sum(axis=1) > 6), X, tmp_path / "package", target="y")


def test_classes_of_a_forest_that_are_equal_but_for_the_last_bit_are_those_of_scikit_learn(tmp_path: Path) -> None:
    X = numbers()
    bins = KBinsDiscretizer(4, encode="ordinal", strategy="uniform")
    model = make_pipeline(bins, RandomForestClassifier(10, random_state=0)).fit(X, target(X, "binary"))
    shares = model.predict_proba(X)
    gaps = np.abs(shares[:, 0] - shares[:, 1])
    assert ((gaps > 0) & (gaps < 1e-12)).any(), "no row has two classes that are equal but for the last bit"
    assert_served(model, X, tmp_path, rows=X)
