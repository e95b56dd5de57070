"""scikit-learn's transformers as functions of the columns.

A scaler is a few steps on each column. An encoder is run on all values that its column can have, which are finitely many. So the
table of its outputs is right whatever its options are.
"""

import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from ..class_names import class_names
from ..context import Context
from ..errors import ExportError
from ..types import plain
from .encoded import computed_category, encoded
from .symbols import NONE, Category, Column, Number, Step, Table, variable_of
from .variables import UNKNOWN, Variable

Handler = Callable[[Any, list[Column], Context, str], list[Column]]


def transform(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    """The output columns of one transformer. `path` names the step in messages."""
    for name in class_names(step):
        if name in MODULES:
            module = importlib.import_module(f".{MODULES[name]}", __package__)
            if MODULES[name] in CURVED:
                context.curved |= {position for column in columns if (position := variable_of(column)) is not None}
            handler: Handler = module.transform
            return handler(step, columns, context, path)
        if name in HANDLERS:
            return HANDLERS[name](step, columns, context, path)
    raise ExportError(f"{named(step, path)} on {described(columns, context.variables)} cannot be exported. {OTHER_REMEDY}")


def named(step: Any, path: str) -> str:
    """A step, for messages."""
    return f"{path} ({type(step).__name__})"


OTHER_REMEDY = (
    "Apply it to the data before the fit, so that the API takes its result; or write the graph yourself and pass that to export."
)


def described(columns: Sequence[Column], variables: list[Variable]) -> str:
    """The names of some columns, for messages."""
    positions = [variable_of(column) for column in columns]
    names = list(dict.fromkeys("a prediction" if p is None else repr(variables[p].name) for p in positions))
    kind = "column" if len(names) == 1 else "columns"
    return f"{kind} {', '.join(names[:5])}" + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def scaler(steps: Callable[[Any, int], list[Step]]) -> Handler:
    """Handles a transformer that applies the same few steps to each column."""

    def handler(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
        refuse_texts(columns, context.variables, path)
        wide = any(isinstance(column, Category) or column.dtype == np.float64 for column in columns)
        result: list[Column] = []
        for index, column in enumerate(columns):
            before = replace(column, dtype=np.float64) if isinstance(column, Number) and wide else column
            result.append(before.then(*steps(step, index)))
        return result

    return handler


def refuse_texts(columns: Sequence[Column], variables: list[Variable], path: str) -> None:
    """Stops if texts reach a step that calculates."""
    for column in columns:
        if isinstance(column, Category) and any(isinstance(state, str) for state in column.table.special.values()):
            raise ExportError(f"{path}: {described([column], variables)} contains texts. Encode them first (OneHotEncoder).")


def standard_steps(step: Any, index: int) -> list[Step]:
    wide = not rounds_parameters()
    steps = [Step("subtract", float(step.mean_[index]), wide=wide)] if step.with_mean else []
    return steps + ([Step("divide", float(step.scale_[index]), wide=wide)] if step.with_std else [])


@cache
def rounds_parameters() -> bool:
    """Whether this version of scikit-learn rounds the mean and the deviation to float32 before it scales float32."""
    x = np.linspace(0.1, 9.7, 97, dtype=np.float32)[:, np.newaxis]
    step = StandardScaler().fit(x)
    return bool(np.array_equal(step.transform(x), (x - step.mean_.astype(np.float32)) / step.scale_.astype(np.float32)))


def robust_steps(step: Any, index: int) -> list[Step]:
    steps = [Step("subtract", float(step.center_[index]), wide=True)] if step.with_centering else []
    return steps + ([Step("divide", float(step.scale_[index]), wide=True)] if step.with_scaling else [])


def min_max_steps(step: Any, index: int) -> list[Step]:
    steps = [Step("multiply", float(step.scale_[index]), wide=True), Step("add", float(step.min_[index]), wide=True)]
    return steps + ([clip(*step.feature_range)] if step.clip else [])


def max_abs_steps(step: Any, index: int) -> list[Step]:
    steps = [Step("divide", float(step.scale_[index]), wide=True)]
    return steps + ([clip(-1, 1)] if getattr(step, "clip", False) else [])


def clip(lower: float, upper: float) -> Step:
    return Step("clip", float(lower), float(upper))


def imputer(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    """SimpleImputer: numbers are filled; for categories it is run on their states."""
    nan = step.missing_values is pd.NA or (isinstance(step.missing_values, float) and np.isnan(step.missing_values))
    if not nan and any(isinstance(column, Number) for column in columns):
        raise ExportError(f"{path} replaces {step.missing_values!r}. Write missing values as NaN and fit again.")
    kept = [
        index
        for index, fill in enumerate(step.statistics_)
        if step.keep_empty_features or not (isinstance(fill, float) and np.isnan(fill))
    ]  # scikit-learn drops a column without a single value
    filled = run(step, columns, {column: place for place, column in enumerate(kept)})
    result: list[Column] = []
    for index in kept:
        column = columns[index]
        if isinstance(column, Number):
            result.append(column.then(Step("fill", float(step.statistics_[index]))))
        else:
            result.append(filled[index][0])
    if step.indicator_ is not None:
        result += [flag_of(columns[index], step.missing_values) for index in step.indicator_.features_]
    return result


def missing_indicator(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    return [flag_of(columns[index], step.missing_values) for index in step.features_]


def flag_of(column: Column, missing: Any) -> Column:
    """1 where the column is missing. None in a column of texts is a value to scikit-learn, unless it stands for missing."""
    if isinstance(column, Number):
        return column.then(Step("flag"))
    if missing is pd.NA or (isinstance(missing, float) and np.isnan(missing)):
        return column.map(lambda state: float(state is not None and bool(pd.isna(state))))
    return column.map(lambda state: float(state is missing or (state is not pd.NA and state == missing)))


def encoder(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    """An encoder with `categories_`: run on each column's values, column by column."""
    closed: list[Column] = [as_category(column, step, index, context.variables, path) for index, column in enumerate(columns)]
    widths = [1] * len(columns)
    if "sklearn.OneHotEncoder" in class_names(step):
        widths = [int(width) for width in step._n_features_outs]
    elif getattr(step, "target_type_", "") == "multiclass":  # a TargetEncoder
        widths = [len(step.classes_)] * len(columns)
    ends = np.cumsum(widths)
    places = {index: range(int(end) - width, int(end)) for index, (end, width) in enumerate(zip(ends, widths, strict=True))}
    made = run(step, closed, places)
    result: list[Column] = []
    for index in places:
        column = columns[index]
        if isinstance(column, Number) and column.functions:
            result += encoded(context, column, made[index])
        else:
            result += [category.map(float) for category in made[index]]
    return result


def as_category(column: Column, step: Any, index: int, variables: list[Variable], path: str) -> Category:
    """The column as a category of the states that the encoder accepts. The values of a number are those that it knows."""
    known = [plain(value) for value in step.categories_[index]]
    absent = [value for value in known if pd.isna(value)]
    present = [value for value in known if not pd.isna(value)]
    refuses = "sklearn.TargetEncoder" not in class_names(step) and getattr(step, "handle_unknown", "error") == "error"

    def accepted(missing: Any) -> Any:
        """The missing value, unless the encoder fails on it."""
        alike = [value for value in absent if (value is None) == (missing is None)]
        return missing if alike or not refuses or (not pd.isna(missing) and missing in present) else NONE

    if isinstance(column, Category):
        if column.is_plain and variables[column.variable].type == "string":
            variables[column.variable].claim(present)
        unknown = NONE if refuses and column.unknown == UNKNOWN else column.unknown
        return replace(column, missing=NONE if column.missing is NONE else accepted(column.missing), unknown=unknown)
    if column.functions:
        return computed_category(column, present, accepted(np.nan), refuses, path)
    if not isinstance(column.source, int) or any(kind.kind != "fill" for kind in column.steps):
        raise ExportError(f"{path} encodes {described([column], variables)} after a calculation. Encode the column itself.")
    variable = variables[column.source]
    missing = accepted(column.steps[0].value if column.steps else np.nan)
    if variable.type == "boolean":
        return Category.plain(column.source, (False, True), missing)
    if refuses:
        present = whole_range(present, variable, path)
        variable.bounds = (present[0], present[-1])
        return Category.plain(column.source, tuple(present), missing)
    return Category.plain(column.source, tuple(present), missing, max(present) + 1)


def whole_range(known: list[Any], variable: Variable, path: str) -> list[int]:
    """The known values, if bounds of an integer can keep out all others."""
    if variable.type == "integer" and known == list(range(int(known[0]), int(known[0]) + len(known))):
        return [int(value) for value in known]
    raise ExportError(
        f"{path} knows {len(known)} values of column {variable.name!r} and fails on any other number, but the API cannot "
        "restrict a number to these. Turn the column into texts (astype(str)), or fit with handle_unknown='ignore'."
    )


def run(step: Any, columns: Sequence[Column], places: Mapping[int, int | Sequence[int]]) -> dict[int, list[Category]]:
    """The output columns (at `places`) of each input column that is a category: tables of the transformer's output on its states.

    All columns go through their states at once, so the output of one must not depend on another. This holds for encoders and
    imputers.
    """
    categories = {index: column for index, column in enumerate(columns) if isinstance(column, Category)}
    if not categories:
        return {}
    states = {index: (*column.table.entries, column.missing, column.unknown) for index, column in categories.items()}
    rows = max(map(len, states.values()))
    inputs: dict[str, Any] = {}
    for index, column in enumerate(columns):
        if isinstance(column, Number):
            inputs[str(index)] = pd.Series(np.zeros(rows), dtype=np.float64)
            continue
        present = [state for state in states[index] if state is not NONE]
        filled = [present[0] if state is NONE else state for state in states[index]]
        inputs[str(index)] = series_of(filled + [present[0]] * (rows - len(filled)))
    output = transformed(step, pd.DataFrame(inputs))
    result: dict[int, list[Category]] = {}
    for index, column in categories.items():
        chosen = places.get(index, ())
        gaps = [position for position, entry in column.table.special.items() if entry is NONE]
        outputs = [chosen] if isinstance(chosen, int) else chosen
        result[index] = [tabulated(column, gaps, output, place) for place in outputs]
    return result


def transformed(step: Any, frame: pd.DataFrame) -> Any:
    """The output of a transformer: an array, or a sparse matrix in columns."""
    plain_step = copy(step)
    vars(plain_step).pop("_sklearn_output_config", None)
    if "sklearn.OneHotEncoder" in class_names(step):
        plain_step.sparse_output = True  # of 10,000 values, most columns are empty
    if hasattr(step, "feature_names_in_"):
        frame.columns = pd.Index(step.feature_names_in_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output = plain_step.transform(frame if hasattr(step, "feature_names_in_") else frame.to_numpy())
    return output.tocsc() if hasattr(output, "tocsc") else np.asarray(output)


def tabulated(column: Category, gaps: Sequence[int], output: Any, place: int) -> Category:
    """The output's column at a place as a table of the states. Values in `gaps` cannot occur."""
    size = len(column.values)
    if isinstance(output, np.ndarray):
        special, default = dict(enumerate(output[: size + 2, place].tolist())), NONE
    else:
        start, end = output.indptr[place], output.indptr[place + 1]
        rows, entries = output.indices[start:end], output.data[start:end]
        own = rows < size + 2  # the others fill the place of longer columns
        special, default = dict(zip(rows[own].tolist(), entries[own].tolist(), strict=True)), 0.0
    missing, unknown = special.pop(size, default), special.pop(size + 1, default)
    missing = NONE if column.missing is NONE else missing
    unknown = NONE if column.unknown is NONE else unknown
    special |= dict.fromkeys(gaps, NONE)
    return Category(column.variable, column.values, Table(size, special, default), missing, unknown)


def series_of(states: list[Any]) -> "pd.Series[Any]":
    """The states in the data type in which the library saw the column."""
    if all(isinstance(state, (bool, np.bool_)) for state in states):
        return pd.Series(states, dtype=bool)
    if all(isinstance(state, (int, np.integer)) and not isinstance(state, bool) for state in states):
        return pd.Series(states, dtype=np.int64)
    if all(isinstance(state, (int, float, np.number)) and not isinstance(state, bool) for state in states):
        return pd.Series(states, dtype=np.float64)
    return pd.Series(states, dtype=object)


OF_MODULES = {
    "functions": "FunctionTransformer",
    "power": "PowerTransformer",
    "quantile": "QuantileTransformer",
    "bins": "KBinsDiscretizer Binarizer",
    "normalizer": "Normalizer",
    "polynomial": "PolynomialFeatures",
    "splines": "SplineTransformer",
    "texts": "TfidfTransformer",
    "imputers": "KNNImputer IterativeImputer",
    "projections": "PCA IncrementalPCA TruncatedSVD FastICA FactorAnalysis SparsePCA MiniBatchSparsePCA "
    "GaussianRandomProjection SparseRandomProjection NeighborhoodComponentsAnalysis LinearDiscriminantAnalysis "
    "FeatureAgglomeration RBFSampler Nystroem KernelPCA SkewedChi2Sampler BernoulliRBM KMeans MiniBatchKMeans BisectingKMeans "
    "Birch",
}
LOOKUPS = (
    "OrdinalEncoder OneHotEncoder TargetEncoder CountEncoder BinaryEncoder BaseNEncoder LeaveOneOutEncoder HashingEncoder "
    "JamesSteinEncoder MEstimateEncoder CatBoostEncoder WOEEncoder GLMMEncoder QuantileEncoder SummaryEncoder HelmertEncoder "
    "SumEncoder BackwardDifferenceEncoder PolynomialEncoder GrayEncoder RankHotEncoder"
)
MODULES = {f"sklearn.{name}": module for module, names in OF_MODULES.items() for name in names.split()} | {
    f"category_encoders.{name}": "lookups" for name in LOOKUPS.split()
}
"""The modules of the transformers that are not below. Each has a function `transform`."""
CURVED = ("polynomial", "splines", "projections")

HANDLERS: dict[str, Handler] = {
    "sklearn.StandardScaler": scaler(standard_steps),
    "sklearn.RobustScaler": scaler(robust_steps),
    "sklearn.MinMaxScaler": scaler(min_max_steps),
    "sklearn.MaxAbsScaler": scaler(max_abs_steps),
    "sklearn.SimpleImputer": imputer,
    "sklearn.MissingIndicator": missing_indicator,
    "sklearn.OneHotEncoder": encoder,
    "sklearn.OrdinalEncoder": encoder,
    "sklearn.TargetEncoder": encoder,
}
