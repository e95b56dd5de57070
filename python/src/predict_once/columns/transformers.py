"""scikit-learn's transformers as functions of the columns.

A scaler is a few steps on each column. An encoder is run on all values that its column can have, which are finitely many. So the
table of its outputs is right whatever its options are.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ExportError
from .symbols import NONE, Category, Column, Number, Step
from .variables import UNKNOWN, Variable

Handler = Callable[[Any, list[Column], list[Variable], str], list[Column]]


def class_names(model: Any) -> list[str]:
    """The names of the model's class and its base classes, with the library: `sklearn.StandardScaler`."""
    return [f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(model).__mro__]


def transform(step: Any, columns: list[Column], variables: list[Variable], path: str) -> list[Column]:
    """The output columns of one transformer. `path` names the step in messages."""
    for name in class_names(step):
        if name in HANDLERS:
            return HANDLERS[name](step, columns, variables, path)
    raise ExportError(
        f"{named(step, path)} on {described(columns, variables)} cannot be exported. "
        f"{REMEDIES.get(type(step).__name__, OTHER_REMEDY)}"
    )


def named(step: Any, path: str) -> str:
    """A step, for messages."""
    return f"{path} ({type(step).__name__})"


OTHER_REMEDY = (
    "Apply it to the data before the fit, so that the API takes its result; or write the graph yourself and pass that to export."
)
REMEDIES = {
    "FunctionTransformer": "A Python function has no counterpart in a graph. Apply it to the data before the fit.",
    "CountVectorizer": "A field of the API cannot hold free text. Turn the text into numbers or categories before the fit.",
    "TfidfVectorizer": "A field of the API cannot hold free text. Turn the text into numbers or categories before the fit.",
    "HashingVectorizer": "A field of the API cannot hold free text. Turn the text into numbers or categories before the fit.",
}


def described(columns: Sequence[Column], variables: list[Variable]) -> str:
    """The names of some columns, for messages."""
    positions = [column.source if isinstance(column, Number) else column.variable for column in columns]
    names = list(dict.fromkeys(repr(variables[p].name) if isinstance(p, int) else "a prediction" for p in positions))
    kind = "column" if len(names) == 1 else "columns"
    return f"{kind} {', '.join(names[:5])}" + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def scaler(steps: Callable[[Any, int], list[Step]]) -> Handler:
    """Handles a transformer that applies the same few steps to each column."""

    def handler(step: Any, columns: list[Column], variables: list[Variable], path: str) -> list[Column]:
        refuse_texts(columns, variables, path)
        wide = any(isinstance(column, Category) or column.dtype == np.float64 for column in columns)
        result: list[Column] = []
        for index, column in enumerate(columns):
            scaled = column.then(*steps(step, index))
            if isinstance(scaled, Number) and wide:
                scaled = Number(scaled.source, scaled.steps, np.float64)
            result.append(scaled)
        return result

    return handler


def refuse_texts(columns: Sequence[Column], variables: list[Variable], path: str) -> None:
    """Stops if texts reach a step that calculates."""
    for column in columns:
        if isinstance(column, Category) and any(isinstance(state, str) and state != UNKNOWN for state in column.states):
            raise ExportError(f"{path}: {described([column], variables)} contains texts. Encode them first (OneHotEncoder).")


def standard_steps(step: Any, index: int) -> list[Step]:
    steps = [Step("subtract", float(step.mean_[index]))] if step.with_mean else []
    return steps + ([Step("divide", float(step.scale_[index]))] if step.with_std else [])


def robust_steps(step: Any, index: int) -> list[Step]:
    steps = [Step("subtract", float(step.center_[index]))] if step.with_centering else []
    return steps + ([Step("divide", float(step.scale_[index]))] if step.with_scaling else [])


def min_max_steps(step: Any, index: int) -> list[Step]:
    steps = [Step("multiply", float(step.scale_[index])), Step("add", float(step.min_[index]))]
    return steps + ([Step("clip", *map(float, step.feature_range))] if step.clip else [])


def max_abs_steps(step: Any, index: int) -> list[Step]:
    steps = [Step("divide", float(step.scale_[index]))]
    return steps + ([Step("clip", -1.0, 1.0)] if getattr(step, "clip", False) else [])


def imputer(step: Any, columns: list[Column], variables: list[Variable], path: str) -> list[Column]:
    """SimpleImputer: numbers are filled, categories get another table."""
    if step.missing_values is not pd.NA and not (isinstance(step.missing_values, float) and np.isnan(step.missing_values)):
        raise ExportError(f"{path} replaces {step.missing_values!r}. Write missing values as NaN and fit again.")
    result: list[Column] = []
    for index, column in enumerate(columns):
        fill = step.statistics_[index]
        if isinstance(fill, float) and np.isnan(fill) and not step.keep_empty_features:
            continue  # a column without a single value: scikit-learn drops it
        if isinstance(column, Number):
            result.append(column.then(Step("fill", float(fill))))
        else:
            states = [fill if is_missing(state) else state for state in column.states]
            result.append(column.with_states(states))
    if step.indicator_ is not None:
        result += [flag_of(columns[index]) for index in step.indicator_.features_]
    return result


def missing_indicator(step: Any, columns: list[Column], variables: list[Variable], path: str) -> list[Column]:
    return [flag_of(columns[index]) for index in step.features_]


def flag_of(column: Column) -> Column:
    """1 where the column is missing."""
    if isinstance(column, Number):
        return column.then(Step("flag"))
    return column.with_states([NONE if state is NONE else float(is_missing(state)) for state in column.states])


def is_missing(state: Any) -> bool:
    """Whether an entry of a table stands for a missing value."""
    return state is not NONE and bool(pd.isna(state))


def encoder(step: Any, columns: list[Column], variables: list[Variable], path: str) -> list[Column]:
    """An encoder with `categories_`: run on each column's values, column by column."""
    one_hot = "sklearn.OneHotEncoder" in class_names(step)
    keeps_unknown = one_hot and step.handle_unknown != "error"
    closed = [as_category(column, step, index, variables, path) for index, column in enumerate(columns)]
    closed = [column if keeps_unknown or not in_data(column, variables) else without_unknown(column) for column in closed]
    widths = output_widths(step, columns) if one_hot else [1] * len(columns)
    tables = run_on_states(step, closed, variables)
    result: list[Column] = []
    first = 0
    for column, width in zip(closed, widths, strict=True):
        for output in range(first, first + width):
            states = [NONE if row is None else float(table_row(row, output)) for row in tables[id(column)]]
            result.append(column.with_states(states))
        first += width
    return result


def table_row(row: Any, output: int) -> Any:
    return row[output]


def in_data(column: Category, variables: list[Variable]) -> bool:
    """Whether the column's values are those of the field: the API refuses any other."""
    return column.values == variables[column.variable].values


def without_unknown(column: Category) -> Category:
    return Category(column.variable, column.values, column.table, column.missing, NONE)


def output_widths(step: Any, columns: list[Column]) -> list[int]:
    """The number of columns that a OneHotEncoder makes of each column."""
    return [int(width) for width in step._n_features_outs]


def as_category(column: Column, step: Any, index: int, variables: list[Variable], path: str) -> Category:
    """The column as a category. The values of a number are those that the encoder knows."""
    if isinstance(column, Category):
        return column
    if not isinstance(column.source, int) or any(kind.kind != "fill" for kind in column.steps):
        raise ExportError(f"{path} encodes {described([column], variables)} after a calculation. Encode the column itself.")
    variable = variables[column.source]
    known = [value for value in np.asarray(step.categories_[index]).tolist() if not pd.isna(value)]
    missing: Any = np.nan if variable.missing is not NONE else NONE
    if column.steps and missing is not NONE:
        missing = column.steps[0].value
    if variable.type == "boolean":
        return Category(column.source, (False, True), (False, True), missing, NONE)
    whole = variable.type == "integer" and known == list(range(int(known[0]), int(known[0]) + len(known)))
    if getattr(step, "handle_unknown", "error") == "error":
        if not whole:
            raise ExportError(
                f"{path} knows {len(known)} values of {described([column], variables)} and fails on any other number, but the "
                "API cannot restrict a number to these. Turn the column into texts (astype(str)), or fit with "
                "handle_unknown='ignore'."
            )
        variable.values = tuple(known)
        return Category(column.source, tuple(known), tuple(known), missing, NONE)
    unlike = max(known) + 1
    return Category(column.source, tuple(known), tuple(known), missing, unlike)


def run_on_states(step: Any, columns: list[Category], variables: list[Variable]) -> dict[int, list[Any]]:
    """For each column, the transformer's output on each of its states; None for states that cannot occur.

    All columns go through their states at once, so the output of one must not depend on another. This holds for encoders.
    """
    rows = max(len(column.states) for column in columns)
    inputs: dict[str, Any] = {}
    for index, column in enumerate(columns):
        present = [state for state in column.states if state is not NONE]
        states = [present[0] if state is NONE else state for state in column.states]
        inputs[str(index)] = series_of(states + [present[0]] * (rows - len(states)), column, variables)
    frame = pd.DataFrame(inputs)
    if hasattr(step, "feature_names_in_"):
        frame.columns = pd.Index(step.feature_names_in_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output = step.transform(frame if hasattr(step, "feature_names_in_") else frame_values(frame))
    output = output.toarray() if hasattr(output, "toarray") else np.asarray(output)
    return {id(column): [None if state is NONE else output[row] for row, state in enumerate(column.states)] for column in columns}


def series_of(states: list[Any], column: Category, variables: list[Variable]) -> "pd.Series[Any]":
    """The states in the data type in which the library saw the column."""
    if all(isinstance(state, (bool, np.bool_)) for state in states):
        return pd.Series(states, dtype=bool)
    if all(isinstance(state, (int, np.integer)) and not isinstance(state, bool) for state in states):
        return pd.Series(states, dtype=np.int64)
    if all(isinstance(state, (int, float, np.number)) and not isinstance(state, bool) for state in states):
        return pd.Series(states, dtype=np.float64)
    return pd.Series(states, dtype=object)


def frame_values(frame: pd.DataFrame) -> Any:
    """The frame as a matrix, which steps other than the first see."""
    return frame.to_numpy()


HANDLERS: dict[str, Handler] = {
    "sklearn.StandardScaler": scaler(standard_steps),
    "sklearn.RobustScaler": scaler(robust_steps),
    "sklearn.MinMaxScaler": scaler(min_max_steps),
    "sklearn.MaxAbsScaler": scaler(max_abs_steps),
    "sklearn.SimpleImputer": imputer,
    "sklearn.MissingIndicator": missing_indicator,
    "sklearn.OneHotEncoder": encoder,
    "sklearn.OrdinalEncoder": encoder,
}
