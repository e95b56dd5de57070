"""Linear models: a Gemm and the inverse of the link."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..class_names import class_names
from ..columns.dense import linear
from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from ..graph import Array
from .registry import Lowered
from .shares import sigmoid_shares


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    coefficients = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
    bias = np.atleast_1d(np.asarray(model.intercept_, dtype=np.float64))
    names = class_names(model)

    if not hasattr(model, "classes_"):
        if "sklearn._PLS" in names:  # works on centred features
            bias = bias - coefficients @ model._x_mean
        sums = linear(context, columns, coefficients.T, bias)
        return Lowered(value=inverse_link(context, getattr(model, "_base_loss", None), sums, path), count=len(coefficients))
    if getattr(model, "_label_binarizer", None) is not None and model._label_binarizer.y_type_.startswith("multilabel"):
        return labels_of_signs(context, linear(context, columns, coefficients.T, bias), len(coefficients))
    multi_class = getattr(model, "multi_class", "")  # until scikit-learn 1.7
    if len(model.classes_) == 2:
        # Two sums, the negative and the positive: no operator is needed to derive one class from the other.
        both = two_sided(context, columns, coefficients[0], bias[0])
        odds = both
        if multi_class == "multinomial":  # scikit-learn takes the softmax of the negative decision and the decision
            odds = context.graph.node("Mul", both, context.graph.constant(2.0))
        probabilities = context.graph.node("Sigmoid", odds) if logistic(model, path) else None
        return Lowered(probabilities=probabilities, scores=both, decision=context.graph.take(both, [1]))
    scores = linear(context, columns, coefficients.T, bias)
    graph = context.graph
    if not logistic(model, path):
        return Lowered(scores=scores, decision=scores)
    if "sklearn.SGDClassifier" in names or getattr(model, "solver", "") == "liblinear" or multi_class == "ovr":
        # Several sigmoids of a row can be 1, so the class is the first maximum of the scores and not of the shares.
        index = graph.index(scores)
        shares = sigmoid_shares(graph, scores, len(model.classes_))
        return Lowered(probabilities=shares, scores=scores, decision=scores, index=index)
    probabilities = graph.node("Softmax", scores, axis=1)
    return Lowered(probabilities=probabilities, scores=scores, decision=scores)


def labels_of_signs(context: Context, decisions: str, count: int) -> Lowered:
    """A label for each positive decision."""
    graph = context.graph
    members = []
    for index in range(count):
        decision = graph.take(decisions, [index])
        members.append(Lowered(scores=graph.node("MatMul", decision, graph.constant([[-1.0, 1.0]])), labels=(0, 1)))
    return Lowered(members=members)


def two_sided(context: Context, columns: Sequence[Column], weights: Array, bias: float) -> str:
    """The negative decision and the decision."""
    return linear(context, columns, np.stack([-weights, weights], axis=1), np.array([-bias, bias]))


def logistic(model: Any, path: str) -> bool:
    """Whether the model's probabilities are a logistic function of its decision."""
    if not hasattr(model, "predict_proba"):
        return False
    if getattr(model, "loss", "log_loss") != "log_loss":
        raise ExportError(f"{path}: probabilities of loss={model.loss!r} cannot be exported. Fit with loss='log_loss'.")
    return True


def inverse_link(context: Context, loss: Any, value: str, path: str) -> str:
    """The inverse of the link of a loss; other estimators than generalised linear models have none."""
    match type(getattr(loss, "link", None)).__name__:
        case "LogLink":
            return context.graph.node("Exp", value)
        case "IdentityLink" | "NoneType":
            return value
        case unknown:
            raise ExportError(f"{path} has the link {unknown!r}, which cannot be exported.")
