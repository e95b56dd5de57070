"""Follows Pipeline and ColumnTransformer down to the transformers."""

from typing import Any

import numpy as np

from ..class_names import class_names
from ..context import Context
from ..errors import ExportError
from . import dates
from .symbols import AnyColumn, Step
from .texts import is_vectorizer, vectorize
from .transformers import named, refuse_texts, transform
from .variables import usable


def preprocess(step: Any, columns: list[AnyColumn], context: Context, path: str) -> list[AnyColumn]:
    """The output columns of a transformer of any kind."""
    # A fitted ColumnTransformer replaces "passthrough" with a FunctionTransformer without a function.
    identity = type(step).__name__ == "FunctionTransformer" and step.func is None
    if step is None or identity or (isinstance(step, str) and step == "passthrough"):
        return columns
    names = class_names(step)
    if "sklearn.Pipeline" in names:
        for name, part in step.steps:
            columns = preprocess(part, columns, context, f"{path} → {name!r}")
        return columns
    if "sklearn.ColumnTransformer" in names:
        return column_transformer(step, columns, context, path)
    if "sklearn.FeatureUnion" in names:
        result: list[AnyColumn] = []
        for name, part in step.transformer_list:
            if not isinstance(part, str) or part != "drop":
                made = preprocess(part, columns, context, f"{path} → {name!r}")
                result += weighted(made, step.transformer_weights, name, context, path)
        return result
    if "predict_once.DateParts" in names:
        return dates.transform(step, columns, context, path)
    if is_vectorizer(step):
        return list(vectorize(step, columns, context, path))
    if hasattr(step, "get_support") and hasattr(step, "n_features_in_"):  # feature selection
        return [columns[index] for index in step.get_support(indices=True)]
    return list(transform(step, usable(columns, context.variables, named(step, path)), context, path))


def column_transformer(step: Any, columns: list[AnyColumn], context: Context, path: str) -> list[AnyColumn]:
    """The outputs of the transformers side by side, in the ColumnTransformer's order."""
    result: list[AnyColumn] = []
    fitted = {name: part for name, part, _ in step.transformers_}
    indices = step._transformer_to_input_indices
    for name, part in fitted.items():
        if isinstance(part, str) and part == "drop":
            continue
        chosen = [columns[index] for index in np.asarray(indices[name], dtype=int).tolist()]
        if not chosen:
            continue
        if name not in step.output_indices_:
            raise ExportError(f"{path} → {name!r} is not found in the fitted ColumnTransformer.")
        made = preprocess(part, chosen, context, f"{path} → {name!r}")
        expected = step.output_indices_[name]
        if len(made) != expected.stop - expected.start:
            raise ExportError(f"{path} → {name!r} makes {expected.stop - expected.start} columns, but {len(made)} were derived.")
        result += weighted(made, step.transformer_weights, name, context, path)
    return result


def weighted(columns: list[AnyColumn], weights: Any, name: str, context: Context, path: str) -> list[AnyColumn]:
    """The columns times the weight of their transformer, if it has one."""
    weight = (weights or {}).get(name)
    if weight is None:
        return columns
    made = usable(columns, context.variables, path)
    refuse_texts(made, context.variables, path)
    return [column.then(Step("multiply", float(weight))) for column in made]
