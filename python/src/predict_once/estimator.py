"""Converts a fitted estimator into a graph, fields and predictions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import onnx
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from .accepted import require_present, restrict
from .columns.layout import Layout, layout_for, provisional
from .columns.symbols import NONE
from .columns.texts import text_codings, texts_of
from .columns.variables import Variable, variables_of
from .context import Context
from .errors import ExportError
from .lowering.registry import Lowered, lower
from .offers import chosen_offers, offers, predictions_of, tensors_of
from .rules import known_key, known_keys
from .types import Prediction, Scalar, UnknownValue


@dataclass
class Converted:
    """A graph, with the meaning of its input and output."""

    model: onnx.ModelProto
    variables: list[Variable]
    layout: Layout
    predictions: list[Prediction]
    library: dict[str, Callable[[Any], list[Any]]]
    """How the library answers each prediction."""
    context: Context

    @property
    def read(self) -> list[Variable]:
        """The variables that the model reads."""
        return [self.variables[position] for position in self.layout.codings]


def as_frame(X: Any, names: Sequence[str] | None = None) -> pd.DataFrame:
    """The data as a data frame. `names` are those of a matrix's columns: x0, x1, … by default."""
    if names is not None and hasattr(X, "columns"):
        raise ExportError("feature_names is for a matrix, but X is a data frame, whose columns have names.")
    if isinstance(X, pd.DataFrame):
        if isinstance(X.columns, pd.MultiIndex):
            raise ExportError(
                f"the columns of X are a MultiIndex of {X.columns.nlevels} levels, but a field has one name. Join the levels "
                "(X.columns = X.columns.map('_'.join)) and fit the model again."
            )
        frame = X.reset_index(drop=True)
        if all(isinstance(name, int) for name in X.columns):  # scikit-learn takes them for positions
            frame.columns = pd.Index([str(name) for name in X.columns])
        return frame
    if hasattr(X, "to_dict") and hasattr(X, "columns"):  # polars
        return from_polars(X)
    if (texts := texts_of(X)) is not None:
        return pd.DataFrame({"text": pd.Series(texts, dtype=object)})
    array = np.asarray(X)
    if array.ndim != 2:
        raise ExportError("X must be the data frame that the model was fitted on, or a matrix.")
    if names is None:
        names = [f"x{index}" for index in range(array.shape[1])]
    if len(names) != array.shape[1]:
        raise ExportError(f"feature_names has {len(names)} names, but X has {array.shape[1]} columns.")
    frame = pd.DataFrame({index: array[:, index] for index in range(array.shape[1])})
    frame.columns = pd.Index(names)
    return frame


def is_polars(X: Any) -> bool:
    """Whether it is a polars frame, which has types of its own."""
    return hasattr(X, "to_dict") and hasattr(X, "schema")


def from_polars(X: Any) -> pd.DataFrame:
    """A polars frame as a data frame. scikit-learn reads null as None in texts and as NaN in numbers."""
    columns = {}
    for name, values in X.to_dict(as_series=False).items():
        texts = any(isinstance(value, str) for value in values)
        columns[name] = pd.Series(values, dtype=object) if texts else pd.Series(values)
    return pd.DataFrame(columns)


def convert(
    model: Any,
    frame: pd.DataFrame,
    as_fitted: Callable[[pd.DataFrame], Any],
    target: str,
    kinds: Sequence[str] | None,
    endpoints: Mapping[str, str],
    descriptions: Mapping[str, str],
    labels: Sequence[Scalar] | None,
    unknown: UnknownValue | Mapping[str, UnknownValue] | None = None,
    explain: bool = False,
    exact_shares: bool = False,
) -> Converted:
    check_fitted(model)
    check_columns(model, frame, named=not isinstance(as_fitted(frame.head(1)), np.ndarray))
    variables = variables_of(frame)
    set_rules(variables, unknown)
    first, _ = lowering(model, variables, provisional(variables), explain, exact_shares)
    # Steps may know more values than X has.
    if any([variable.settle() for variable in variables]):
        first, _ = lowering(model, variables, provisional(variables), explain, exact_shares)
    require_present(model, frame, variables, first, as_fitted)
    restrict(model, frame, variables, first, as_fitted)
    layout = layout_for(variables, first.requests, text_codings(variables))
    if not layout.width:
        raise ExportError("the model reads no column of X, so the API would have no field.")
    check_rules(variables, layout)
    context, lowered = lowering(model, variables, layout, explain, exact_shares)
    chosen = chosen_offers(offers(model, lowered, context.graph, target, labels), kinds, model)
    tensors = tensors_of(chosen)
    predictions = predictions_of(chosen, tensors, endpoints, descriptions)
    output, size = context.graph.concat(list(tensors)), sum(tensors.values())
    graph = context.graph.finish(output, layout.column_names(variables), size, wide=lowered.wide)
    if any(variable.vectorizers for variable in variables):
        del graph.metadata_props[:]  # a text has no names of columns
    library = {entry["name"]: offer.library for entry, offer in zip(predictions, chosen, strict=True)}
    return Converted(graph, variables, layout, predictions, library, context)


def set_rules(variables: list[Variable], unknown: UnknownValue | Mapping[str, UnknownValue] | None) -> None:
    """Records what the owner wants of unknown texts."""
    texts = [variable for variable in variables if variable.type == "string"]
    rules = unknown if isinstance(unknown, Mapping) else {variable.name: unknown for variable in texts if unknown is not None}
    known_keys(rules, [variable.name for variable in texts], "unknown")
    for variable in texts:
        if variable.name in rules:
            known_key(rules[variable.name], get_args(UnknownValue), "unknown")
            variable.rule = rules[variable.name]


def check_rules(variables: list[Variable], layout: Layout) -> None:
    """Stops at a rule that the model has no answer for."""
    for position, coding in layout.codings.items():
        variable = variables[position]
        if variable.rule == "ignore" and not coding.unknown:
            raise ExportError(
                f"unknown='ignore': the model has no rule for unknown values of column {variable.name!r}. Fit its encoder with "
                f"handle_unknown, or pass unknown={{{variable.name!r}: 'refuse'}}."
            )
        if variable.rule == "missing" and coding.missing is NONE:
            raise ExportError(
                f"unknown='missing': the model does not accept missing values of column {variable.name!r}. Put an imputer in "
                f"front of its encoder, or pass unknown={{{variable.name!r}: 'refuse'}}."
            )


def library_answers(data: Any, converted: Converted) -> dict[str, list[Any]]:
    """The training library's answer to each row, by prediction."""
    return {name: answers(data) for name, answers in converted.library.items()}


def check_fitted(model: Any) -> None:
    """Stops if the model has not been fitted. Objects that are not estimators are refused later, by name."""
    if not isinstance(model, BaseEstimator):
        return
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise ExportError(f"{type(model).__name__} has not been fitted. Call fit first.") from error


def check_columns(model: Any, frame: pd.DataFrame, named: bool) -> None:
    """Stops unless X has the columns that the model was fitted on: their names if X is `named`, else their number."""
    fitted = getattr(model, "feature_names_in_", None)

    def written(names: Any) -> list[str]:
        # LightGBM replaces spaces with underscores.
        return [str(name).replace(" ", "_") for name in names]

    if fitted is not None and named and written(fitted) != written(frame.columns):
        raise ExportError(
            f"the model was fitted on the columns {list(fitted)}, but X has {list(frame.columns)}. Pass the X that it was fitted "
            "on."
        )
    count = getattr(model, "n_features_in_", None)  # CatBoost does not write it to files
    if count and count != frame.shape[1]:
        raise ExportError(
            f"the model was fitted on {count} columns, but X has {frame.shape[1]}. Pass the X that it was fitted on."
        )
    if not len(frame):
        raise ExportError("X has no rows. Pass the X that the model was fitted on.")


def lowering(
    model: Any, variables: list[Variable], layout: Layout, explain: bool = False, exact_shares: bool = False
) -> tuple[Context, Lowered]:
    context = Context(variables, layout, explain=explain, exact_shares=exact_shares)
    columns = [variable.column(position) for position, variable in enumerate(variables)]
    return context, lower(context, model, columns, "the model")
