"""The fitted model decides what the API accepts; the data frame given to `export` is a sample."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import serve
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from xgboost import XGBClassifier

import predict_once
from predict_once import ExportError

UNKNOWN = {"handle_unknown": "use_encoded_value", "unknown_value": -1}


def mixed(rows: int = 400) -> tuple[pd.DataFrame, Any]:
    random = np.random.default_rng(0)
    X = pd.DataFrame({"kind": random.choice(["a", "b", "c"], rows), "store": random.integers(0, 12, rows)})
    X["x"] = random.normal(size=rows)
    return X, ((X.kind == "a") + X.store.isin([1, 5, 7, 11]) + X.x > 1).astype(int)


def encoded(encoder: Any, last: Any, column: str = "kind") -> Any:
    others = [name for name in ("store", "x") if name != column]
    return make_pipeline(make_column_transformer((encoder, [column]), ("passthrough", others)), last)


def forest() -> Any:
    return RandomForestClassifier(10, random_state=0)


def ask(model: Any, X: pd.DataFrame, rows: list[dict[str, Any]], folder: Path, **changed: Any) -> None:
    """Exports the model, and compares the service's answers to these rows with the library's."""
    predict_once.export(model, X, folder / "package", target="y", overwrite=True, **changed)
    tolerance = 1e-5 if "XGB" in type(model).__name__ else 1e-9
    with serve(folder / "package") as client:
        for row in rows:
            data = frame_of([row], X)
            shares = client.ask("y_probabilities", row)
            assert list(shares.values()) == pytest.approx(model.predict_proba(data)[0], abs=tolerance), row


def frame_of(rows: list[dict[str, Any]], X: pd.DataFrame) -> pd.DataFrame:
    """The rows in the data types of X, as somebody who uses the library writes them."""
    columns = {}
    for name in X:
        values = [row[name] for row in rows]
        if isinstance(X[name].dtype, pd.CategoricalDtype):
            known = list(X[name].cat.categories)
            unseen = {value for value in values if not pd.isna(value)} - set(known)
            columns[name] = pd.Series(pd.Categorical(values, categories=[*known, *unseen]))
        elif pd.api.types.is_numeric_dtype(X[name].dtype):
            columns[name] = pd.Series(values, dtype=np.float64)
        else:
            columns[name] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns)


@pytest.mark.parametrize(
    "model",
    [
        encoded(OrdinalEncoder(**UNKNOWN), forest()),
        encoded(OrdinalEncoder(**UNKNOWN), make_pipeline(StandardScaler(), LogisticRegression())),
        encoded(OrdinalEncoder(min_frequency=0.34, **UNKNOWN), forest()),
        encoded(
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), HistGradientBoostingClassifier(max_iter=9)
        ),
        encoded(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()),
        encoded(OneHotEncoder(handle_unknown="ignore", drop="first"), forest()),
        encoded(OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=0.34), forest()),
        encoded(OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=2), LogisticRegression()),
    ],
    ids=["ordinal-forest", "ordinal-linear", "ordinal-rare", "ordinal-nan", "one-hot", "dropped", "rare", "at-most"],
)
def test_an_unknown_category_is_answered_by_the_rule_of_its_encoder(model: Any, tmp_path: Path) -> None:
    X, y = mixed()
    ask(model.fit(X, y), X, [{"kind": kind, "store": 3, "x": 0.1} for kind in "abcd"], tmp_path)


@pytest.mark.parametrize(
    "model",
    [HistGradientBoostingClassifier(max_iter=9), LGBMClassifier(n_estimators=9, verbose=-1, n_jobs=1, min_child_samples=5)],
    ids=["histogram", "lightgbm"],
)
def test_an_unknown_pandas_category_is_missing_to_boosting(model: Any, tmp_path: Path) -> None:
    X, y = mixed()
    X = X.astype({"kind": "category", "store": "category"})
    rows = [{"kind": kind, "store": store, "x": 0.1} for kind in ("a", "zz", None) for store in (3, 99, -5, None)]
    ask(model.fit(X, y), X, rows, tmp_path)


@pytest.mark.parametrize("dtype", ["int64", "category"])
@pytest.mark.parametrize(
    "encoder", [OrdinalEncoder(**UNKNOWN), OneHotEncoder(handle_unknown="ignore")], ids=["ordinal", "one-hot"]
)
@pytest.mark.parametrize("last", [forest(), LogisticRegression()], ids=["forest", "linear"])
def test_an_unknown_whole_number_is_no_known_category(encoder: Any, last: Any, dtype: str, tmp_path: Path) -> None:
    X, y = mixed()
    X = X[["store", "x"]].astype({"store": dtype})
    model = make_pipeline(make_column_transformer((encoder, ["store"]), remainder="passthrough"), last)
    ask(model.fit(X, y), X, [{"store": store, "x": 0.1} for store in (0, 7, 11, 12, 99, -5)], tmp_path)


def test_whole_numbers_that_the_encoder_refuses_are_out_of_bounds(tmp_path: Path) -> None:
    X, y = mixed()
    X = X[["store", "x"]].astype({"store": "category"})
    model = make_pipeline(make_column_transformer((OneHotEncoder(), ["store"]), remainder="passthrough"), LogisticRegression())
    ask(model.fit(X, y), X, [{"store": store, "x": 0.1} for store in (0, 11)], tmp_path)
    with serve(tmp_path / "package") as client:
        for store in (12, 99, -5):
            client.answer("y", {"store": store, "x": 0.1}, status=422)


@pytest.mark.parametrize(
    "model",
    [
        encoded(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()),
        encoded(OrdinalEncoder(), forest()),
        HistGradientBoostingClassifier(max_iter=9),
        LGBMClassifier(n_estimators=9, verbose=-1, n_jobs=1, min_child_samples=5),
        XGBClassifier(n_estimators=9, n_jobs=1, enable_categorical=True),
    ],
    ids=["one-hot", "ordinal", "histogram", "lightgbm", "xgboost"],
)
def test_categories_that_the_model_knows_and_x_lacks_are_served(model: Any, tmp_path: Path) -> None:
    X, y = mixed()
    boosting = not hasattr(model, "steps")
    if boosting:
        X = X.astype({"kind": "category"})
    model.fit(X, y)
    sample = X[X.kind != "b"]
    if boosting:
        sample = sample.assign(kind=sample.kind.cat.remove_unused_categories())
    rows = [{"kind": kind, "store": 3, "x": x} for kind in "abc" for x in (-1.0, 0.2, 1.5)]
    predict_once.export(model, sample, tmp_path / "package", target="y")
    expected = model.predict_proba(frame_of(rows, X))
    with serve(tmp_path / "package") as client:
        for row, wanted in zip(rows, expected, strict=True):
            assert list(client.ask("y_probabilities", row).values()) == pytest.approx(wanted, abs=1e-5 if boosting else 1e-9)


@pytest.mark.parametrize("missing", [None, np.nan], ids=["none", "nan"])
@pytest.mark.parametrize("every", [10, 400], ids=["often", "once"])
def test_none_and_nan_are_imputed_as_the_library_does_it(missing: Any, every: int, tmp_path: Path) -> None:
    X, y = mixed()
    kinds = X["kind"].astype(object).to_numpy(copy=True)
    kinds[::every] = missing
    X = X.assign(kind=pd.Series(kinds, dtype=object))
    steps = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    model = encoded(steps, LogisticRegression()).fit(X, y)
    ask(model, X, [{"kind": kind, "store": 3, "x": 0.1} for kind in ("a", "b", missing)], tmp_path)


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
        make_pipeline(SimpleImputer(strategy="median"), forest()),
        HistGradientBoostingClassifier(max_iter=9),
        LGBMClassifier(n_estimators=9, verbose=-1, n_jobs=1),
        XGBClassifier(n_estimators=9, n_jobs=1),
        forest(),
    ],
    ids=["imputed-linear", "imputed-forest", "histogram", "lightgbm", "xgboost", "forest"],
)
def test_missing_numbers_that_x_lacks_are_accepted_if_the_model_takes_them(model: Any, tmp_path: Path) -> None:
    X, y = mixed()
    X = X[["store", "x"]]
    rows = [{"store": None, "x": 0.1}, {"store": 3, "x": None}]
    ask(model.fit(X, y), X, rows, tmp_path)


def test_missing_numbers_that_the_model_refuses_are_required(tmp_path: Path) -> None:
    X, y = mixed()
    X = X[["store", "x"]]
    predict_once.export(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), X, tmp_path / "package", target="y")
    with serve(tmp_path / "package") as client:
        client.answer("y", {"store": 3}, status=422)


def test_integers_beyond_those_of_x_are_served(tmp_path: Path) -> None:
    X, y = mixed()
    X = X[["store", "x"]].assign(store=X.store * 1_000_000)
    rows = [{"store": store, "x": 0.1} for store in (25_000_000, 2**24 + 1, -(2**40))]
    for model in (make_pipeline(StandardScaler(), LogisticRegression()), forest()):
        ask(model.fit(X, y), X, rows, tmp_path)


def test_an_indicator_that_a_later_scaler_scales_is_scaled_however_small_the_target(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(300, 2)), columns=["a", "b"])
    target = X.b * 1e-7
    X = X.mask(random.random(X.shape) < 0.2)
    model = make_pipeline(make_union(SimpleImputer(), MissingIndicator()), StandardScaler(), LinearRegression())
    model.fit(X, target + X.a.isna() * 1e-6)
    predict_once.export(model, X, tmp_path / "package", target="y")
    with serve(tmp_path / "package") as client:
        for row, wanted in zip(X.head(30).to_dict("records"), model.predict(X.head(30)), strict=True):
            assert client.ask("y", row) == pytest.approx(wanted, rel=1e-6, abs=1e-15)


def test_lightgbm_one_versus_all_is_not_normalised(tmp_path: Path) -> None:
    X, _ = mixed()
    X = X[["store", "x"]]
    model = LGBMClassifier(objective="multiclassova", n_estimators=5, verbose=-1, n_jobs=1).fit(X, X.store % 3)
    ask(model, X, [{"store": 3, "x": 0.1}, {"store": 8, "x": -2.0}], tmp_path)
    assert abs(model.predict_proba(X.head(1)).sum() - 1) > 1e-6


def test_fractions_that_lightgbm_would_cut_off_are_refused_by_name(tmp_path: Path) -> None:
    X, y = mixed()
    X = X[["store", "x"]]
    whole = X.assign(store=X.store.astype(float))
    model = LGBMClassifier(n_estimators=9, verbose=-1, n_jobs=1, min_data_per_group=5, min_child_samples=5)
    model.fit(whole, y, categorical_feature=["store"])
    ask(model, whole, [{"store": store, "x": 0.1} for store in (0, 5, 99, None)], tmp_path)
    with serve(tmp_path / "package") as client:
        client.answer("y", {"store": 5.7, "x": 0.1}, status=422)
    with pytest.raises(ExportError, match="column 'store' as a categorical feature, and cuts off the fractions"):
        predict_once.export(model, X.assign(store=X.store + 0.5), tmp_path / "other", target="y")


class Sampler:
    """What a sampler of imbalanced-learn is to a pipeline at prediction."""

    def fit_resample(self, X: Any, y: Any) -> Any:
        return X, y


def test_a_sampler_in_a_pipeline_does_nothing_at_prediction(tmp_path: Path) -> None:
    X, y = mixed()
    X = X[["store", "x"]]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    expected = model.predict_proba(X.head(1))[0]
    predicts = model.predict_proba, model.predict
    model.steps.insert(1, ("smote", Sampler()))
    model.predict_proba, model.predict = (lambda rows, of=of: without_sampler(model, of, rows) for of in predicts)
    predict_once.export(model, X, tmp_path / "package", target="y")
    with serve(tmp_path / "package") as client:
        answered = client.ask("y_probabilities", X.iloc[0].to_dict())
    assert list(answered.values()) == pytest.approx(expected, abs=1e-9)


def without_sampler(model: Any, method: Any, rows: Any) -> Any:
    """What imbalanced-learn's Pipeline does, which passes over its samplers."""
    steps = list(model.steps)
    model.steps = [step for step in steps if not isinstance(step[1], Sampler)]
    try:
        return method(rows)
    finally:
        model.steps = steps


@pytest.mark.parametrize("kind", ["own objective", "infinities"])
def test_lightgbm_with_its_own_objective_or_infinities_is_served(kind: str, tmp_path: Path) -> None:
    X, _ = mixed()
    X = X[["store", "x"]].astype(float)
    y = X.store + X.x
    if kind == "infinities":
        X = X.assign(x=X.x.where(X.x < 1.5, np.inf))
    objective = (lambda wanted, raw: (raw - wanted, np.ones_like(wanted))) if kind == "own objective" else None
    model = LGBMRegressor(n_estimators=9, verbose=-1, n_jobs=1, objective=objective).fit(X, y)
    predict_once.export(model, X, tmp_path / "package", target="y")
    rows = X[np.isfinite(X.x)].head(9)
    with serve(tmp_path / "package") as client:
        for row, wanted in zip(rows.to_dict("records"), model.predict(rows), strict=True):
            assert client.ask("y", row) == pytest.approx(wanted, rel=1e-9)


def test_numbers_in_a_column_of_objects_are_numbers(tmp_path: Path) -> None:
    X, y = mixed()
    X = X[["store", "x"]].astype(object)
    predict_once.export(LogisticRegression().fit(X, y), X, tmp_path / "package", target="y")
    with serve(tmp_path / "package") as client:
        client.answer("y", {"store": 3, "x": 0.5})
        client.answer("y", {"store": 3.5, "x": 0.5}, status=422)


def test_many_categories_cost_time_in_proportion_to_their_number(tmp_path: Path) -> None:
    def seconds(count: int) -> float:
        kinds = [f"z{number:05d}" for number in range(count)]
        X = pd.DataFrame({"zip": kinds * 2, "x": np.arange(2.0 * count) % 7})
        model = make_pipeline(make_column_transformer((OneHotEncoder(), ["zip"]), remainder="passthrough"), Ridge())
        model.fit(X, X.x)
        started = time.process_time()
        predict_once.export(model, X, tmp_path / str(count), target="y")
        return time.process_time() - started

    assert seconds(2000) < 8 * seconds(500)


def test_categories_in_the_order_of_their_encoder_are_served(tmp_path: Path) -> None:
    sizes = ["small", "medium", "large"]
    X = pd.DataFrame({"size": np.tile(sizes, 60), "x": np.linspace(-1, 1, 180)})
    encoded = make_column_transformer((OrdinalEncoder(categories=[sizes]), ["size"]), remainder="passthrough")
    model = make_pipeline(encoded, LinearRegression()).fit(X, X["size"].map(sizes.index) * 2.0 + X["x"])
    report = predict_once.export(model, X, tmp_path / "package", target="price")
    assert report.fields[0]["values"] == sizes and report.largest_difference < 1e-9


@pytest.mark.parametrize("encoder", [OneHotEncoder(handle_unknown="ignore"), OneHotEncoder(drop="first")], ids=["all", "drop"])
def test_zeros_of_a_sparse_matrix_are_missing_to_xgboost(encoder: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame({"kind": random.choice(list("abcdefgh"), 400), "n": random.integers(0, 3, 400) * 1.0})
    encoded = make_column_transformer((encoder, ["kind"]), ("passthrough", ["n"]))
    model = make_pipeline(encoded, XGBClassifier(n_estimators=10, min_child_weight=0, n_jobs=1))
    model.fit(X, X["kind"].isin(list("abc")) ^ (X["n"] == 0))
    assert model[0].sparse_output_, "the matrix is dense"
    rows = X.head(30)
    predict_once.export(model, X, tmp_path / "package", target="outcome", labels=[False, True])
    with serve(tmp_path / "package") as client:
        for row, expected in zip(rows.to_dict("records"), model.predict_proba(rows), strict=True):
            answered = list(client.ask("outcome_probabilities", row).values())
            assert answered == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("weight", [2.0, 0.25])
def test_the_weights_of_transformers_are_part_of_their_columns(weight: float, tmp_path: Path) -> None:
    X = pd.DataFrame({"kind": np.tile(["a", "b", "c"], 60), "x": np.linspace(-3, 1, 180)})
    encoded = ColumnTransformer(
        [("kind", OneHotEncoder(), ["kind"]), ("x", StandardScaler(), ["x"])], transformer_weights={"kind": weight, "x": 3.0}
    )
    model = make_pipeline(encoded, Ridge()).fit(X, X["x"] ** 2 + (X["kind"] == "b"))
    assert predict_once.export(model, X, tmp_path / "package", target="y").largest_difference < 1e-9
