"""Converts a fitted estimator into a graph, fields and predictions."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never, cast

import numpy as np
import onnx
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from .columns.layout import Layout, layout_for, provisional
from .columns.variables import Variable, variables_of
from .context import Context
from .errors import ExportError
from .lowering.registry import Lowered, lower
from .names import pascal_case, schema_name, slug
from .rules import check_prediction_name, known_keys
from .types import Kind, Prediction, Scalar, label_text, plain

CLASSIFIER_KINDS: tuple[Kind, ...] = ("class", "probabilities", "probability")


@dataclass
class Converted:
    """A graph, with the meaning of its input and output."""

    model: onnx.ModelProto
    variables: list[Variable]
    layout: Layout
    predictions: list[Prediction]
    labels: list[Scalar]
    context: Context

    @property
    def read(self) -> list[Variable]:
        """The variables that the model reads."""
        return [self.variables[position] for position in self.layout.codings]


def as_frame(X: Any) -> pd.DataFrame:
    """The data as a data frame; columns of a matrix are called x0, x1, …"""
    if isinstance(X, pd.DataFrame):
        return X.reset_index(drop=True)
    if hasattr(X, "to_dict") and hasattr(X, "columns"):  # polars
        return pd.DataFrame(X.to_dict(as_series=False))
    array = np.asarray(X)
    if array.ndim != 2:
        raise ExportError("X must be the data frame that the model was fitted on, or a matrix.")
    return pd.DataFrame({f"x{index}": array[:, index] for index in range(array.shape[1])})


def convert(
    model: Any,
    frame: pd.DataFrame,
    as_fitted: Callable[[pd.DataFrame], Any],
    target: str,
    kinds: Sequence[str] | None,
    endpoints: Mapping[str, str],
    descriptions: Mapping[str, str],
    labels: Sequence[Scalar] | None,
) -> Converted:
    check_fitted(model)
    check_columns(model, frame)
    variables = variables_of(frame)
    first, _ = lowering(model, variables, provisional(variables))
    # Steps may know more values than X has.
    if any([variable.settle() for variable in variables]):
        first, _ = lowering(model, variables, provisional(variables))
    require_present(model, frame, variables, first, as_fitted)
    layout = layout_for(variables, first.requests)
    if not layout.width:
        raise ExportError("the model reads no column of X, so the API would have no field.")
    context, lowered = lowering(model, variables, layout)
    if lowered.value is not None:
        names: list[Scalar] = []
        predictions = [regression(target, kinds, endpoints, descriptions)]
        output, size = lowered.value, 1
    else:
        names = labels_of(model, labels)
        predictions = classification(target, names, lowered, kinds, endpoints, descriptions, model)
        output, size = lowered.probabilities or lowered.classes, len(names)
        if lowered.index is not None:
            output, size = context.graph.concat([output, lowered.index]), size + 1
    graph = context.graph.finish(output, layout.column_names(variables), size, wide=lowered.wide)
    return Converted(graph, variables, layout, predictions, names, context)


def require_present(
    model: Any, frame: pd.DataFrame, variables: list[Variable], context: Context, as_fitted: Callable[[pd.DataFrame], Any]
) -> None:
    """Finds out which columns without missing values may have them: those for which the library accepts a row with one."""
    asked = context.requests.columns
    open_ended = [p for p in asked if not variables[p].observed and all(request.takes_missing for request in asked[p])]

    def refused(positions: list[int]) -> list[int]:
        if not positions or accepts(model, as_fitted(missing_rows(frame, variables, positions))):
            return []
        half = len(positions) // 2
        return positions if not half else refused(positions[:half]) + refused(positions[half:])

    for position in refused(open_ended):
        variables[position].required = True


def missing_rows(frame: pd.DataFrame, variables: list[Variable], positions: list[int]) -> pd.DataFrame:
    """For each of these columns a row that misses its value."""
    rows = frame.iloc[[0] * len(positions)].reset_index(drop=True)
    columns = {}
    for position, name in enumerate(rows.columns):
        series = rows.iloc[:, position]
        if position in positions:
            series = with_values(series, [positions.index(position)], [variables[position].missing])
        columns[name] = series
    return pd.DataFrame(columns)


def with_values(series: Any, rows: Sequence[int], values: Sequence[Any]) -> Any:
    """The series with other values in some rows, in a data type that holds them."""
    dtype: Any = series.dtype
    entries = series.astype(object).to_numpy(copy=True)
    for row, value in zip(rows, values, strict=True):
        entries[row] = value
    if isinstance(dtype, pd.CategoricalDtype):
        present = pd.Series(entries, dtype=object).dropna()
        known = [*dtype.categories, *sorted(set(present) - set(dtype.categories))]
        return pd.Series(entries, dtype=pd.CategoricalDtype(known))
    if isinstance(dtype, np.dtype) and dtype.kind in "iub" and any(pd.isna(value) for value in values):
        return pd.Series(entries, dtype=object if dtype.kind == "b" else np.float64)
    return pd.Series(entries, dtype=dtype)


def accepts(model: Any, data: Any) -> bool:
    """Whether the library predicts these rows."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.predict(data)
    except Exception:  # a library's own, such as XGBoostError
        return False
    return True


def check_fitted(model: Any) -> None:
    """Stops if the model has not been fitted. Objects that are not estimators are refused later, by name."""
    if not isinstance(model, BaseEstimator):
        return
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise ExportError(f"{type(model).__name__} has not been fitted. Call fit first.") from error


def check_columns(model: Any, frame: pd.DataFrame) -> None:
    """Stops unless X has the columns that the model was fitted on."""
    fitted = getattr(model, "feature_names_in_", None)

    def written(names: Any) -> list[str]:
        # LightGBM replaces spaces with underscores.
        return [str(name).replace(" ", "_") for name in names]

    unnamed = list(frame.columns) == [f"x{index}" for index in range(frame.shape[1])]  # as_frame's
    if fitted is not None and written(fitted) != written(frame.columns) and not unnamed:
        raise ExportError(
            f"the model was fitted on the columns {list(fitted)}, but X has {list(frame.columns)}. Pass the X that it was fitted "
            "on."
        )
    count = getattr(model, "n_features_in_", None)
    if count is not None and count != frame.shape[1]:
        raise ExportError(
            f"the model was fitted on {count} columns, but X has {frame.shape[1]}. Pass the X that it was fitted on."
        )
    if not len(frame):
        raise ExportError("X has no rows. Pass the X that the model was fitted on.")


def lowering(model: Any, variables: list[Variable], layout: Layout) -> tuple[Context, Lowered]:
    context = Context(variables, layout)
    columns = [variable.column(position) for position, variable in enumerate(variables)]
    return context, lower(context, model, columns, "the model")


def labels_of(model: Any, labels: Sequence[Scalar] | None) -> list[Scalar]:
    """The classes as JSON types."""
    classes = [plain(label) for label in np.asarray(model.classes_).tolist()]
    if labels is not None:
        if len(labels) != len(classes):
            raise ExportError(f"labels has {len(labels)} entries, but the model has {len(classes)} classes: {classes}.")
        classes = [plain(label) for label in labels]
    whole = [int(label) if isinstance(label, float) and label.is_integer() else label for label in classes]
    if len({label_text(label) for label in whole}) < len(whole):
        raise ExportError(f"two classes have the same text: {whole}. Pass labels that differ.")
    return whole


def regression(
    target: str, kinds: Sequence[str] | None, endpoints: Mapping[str, str], descriptions: Mapping[str, str]
) -> Prediction:
    if kinds is not None and list(kinds) != ["value"]:
        raise ExportError(f"kinds={list(kinds)}: a regressor only has the kind 'value'.")
    known_keys(endpoints, ("value",), "endpoints")
    return prediction(target, target, "value", endpoints, descriptions)


def prediction(
    target: str,
    name: str,
    kind: Kind,
    endpoints: Mapping[str, str],
    descriptions: Mapping[str, str],
    taken: Collection[str] = (),
) -> Prediction:
    """The entries that predictions of all kinds have. `taken` holds the schemas of the others."""
    check_prediction_name(name)
    endpoint = endpoints.get(kind, "").strip("/") or slug(name, f"endpoints={{{kind!r}: '…'}}")
    what = {"class": "", "value": "", "probabilities": "probabilities of ", "probability": "probability of "}[kind]
    result: Prediction = {"name": name, "endpoint": endpoint, "kind": kind}
    schema = schema_name(endpoint, kind, taken)
    if schema != pascal_case(name):
        result["schema"] = schema
    result["summary"] = f"Predict the {what}{target}" if what else f"Predict {target}"
    if name in descriptions:
        result["description"] = descriptions[name]
    return result


def classification(
    target: str,
    labels: list[Scalar],
    lowered: Lowered,
    kinds: Sequence[str] | None,
    endpoints: Mapping[str, str],
    descriptions: Mapping[str, str],
    model: Any,
) -> list[Prediction]:
    if kinds is None:
        kinds = ("class", "probabilities") if lowered.probabilities else ("class",)
    if not kinds:
        raise ExportError(f"kinds is empty. Pass at least one of {', '.join(map(repr, CLASSIFIER_KINDS))}.")
    known_keys(kinds, CLASSIFIER_KINDS, "kinds")
    known_keys(endpoints, tuple(kinds), "endpoints")
    if len(labels) < 2:
        raise ExportError(f"the model has only one class ({labels[0]!r}). Fit it on data with two or more classes.")
    result: list[Prediction] = []
    for kind in cast(Sequence[Kind], kinds):
        if kind != "class" and not lowered.probabilities:
            raise ExportError(f"kinds has {kind!r}, but {type(model).__name__} has no probabilities. Pass kinds=['class'].")
        name = target if kind == "class" else f"{target}_{kind}"
        taken = [other.get("schema") or pascal_case(other["name"]) for other in result]
        entry = prediction(target, name, kind, endpoints, descriptions, taken)
        if kind == "probability":
            if len(labels) != 2:
                raise ExportError(
                    f"kinds has 'probability', but the model has {len(labels)} classes, not two. Pass 'probabilities'."
                )
            entry["output"] = 1
            entry["meaning"] = f"The probability of {label_text(labels[1])}"
        else:
            entry["values"] = list(labels)
            if lowered.index is not None and kind == "class":
                entry["output"] = len(labels)
            elif lowered.index is not None:
                entry["outputs"] = list(range(len(labels)))
        result.append(entry)
    return result


def library_answers(model: Any, data: Any, converted: Converted) -> dict[str, list[Any]]:
    """The training library's answer to each row, by prediction."""
    result: dict[str, list[Any]] = {}
    names = [label_text(label) for label in converted.labels]
    for entry in converted.predictions:
        match entry["kind"]:
            case "value":
                values = np.asarray(model.predict(data), dtype=np.float64)
                result[entry["name"]] = values.reshape(len(values), -1)[:, 0].tolist()
            case "class":
                known = {plain(label): position for position, label in enumerate(np.asarray(model.classes_).tolist())}
                predicted = np.asarray(model.predict(data)).ravel().tolist()
                result[entry["name"]] = [converted.labels[known[label]] for label in predicted]
            case "probability":
                result[entry["name"]] = np.asarray(model.predict_proba(data), dtype=np.float64)[:, 1].tolist()
            case "probabilities":
                rows = np.asarray(model.predict_proba(data), dtype=np.float64).tolist()
                result[entry["name"]] = [dict(zip(names, row, strict=True)) for row in rows]
            case "bands" | "vector" | "top" | "tensor":
                raise AssertionError(f"no estimator answers with {entry['kind']}")
            case unknown:
                assert_never(unknown)
    return result
