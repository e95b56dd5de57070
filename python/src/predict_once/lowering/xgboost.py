"""XGBoost, from the JSON of its booster."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from onnx import TensorProto

from ..columns.sparsity import zeros_missing
from ..columns.symbols import NONE, Category, Column, Number, Table, variable_of
from ..columns.transformers import whole_range
from ..columns.variables import Variable
from ..context import Context
from ..errors import ExportError
from ..trees import Comparison, Tree, ensemble
from ..types import plain
from .boosting import add_start
from .mlp import labels_of_shares
from .registry import Lowered

IDENTITY = {"reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:squaredlogerror", "reg:quantileerror"} | {
    "binary:logitraw",
    "rank:ndcg",
    "rank:pairwise",
    "rank:map",
}
LOGARITHM = {"count:poisson", "reg:gamma", "reg:tweedie", "survival:aft", "survival:cox"}
LOGISTIC = {"binary:logistic", "reg:logistic"}
SOFTMAX = {"multi:softprob", "multi:softmax"}


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    missing = getattr(model, "missing", np.nan)
    if missing is not None and not np.isnan(missing):
        raise ExportError(f"{path} reads {missing} as missing. Write missing values as NaN and fit again.")
    learner = json.loads(model.get_booster().save_raw("json"))["learner"]
    objective = learner["objective"]["name"]
    booster = learner["gradient_booster"]
    weights = booster.get("weight_drop")
    if booster["name"] not in ("gbtree", "dart"):
        raise ExportError(f"{path} has booster={booster['name']!r}. Fit with booster='gbtree'.")
    forest = (booster.get("gbtree") or booster)["model"]
    param = learner["learner_model_param"]
    targets = max(1, int(param["num_class"]), int(param.get("num_target", 1)))
    if forest["trees"] and any(int(tree["tree_param"].get("size_leaf_vector", 1)) > 1 for tree in forest["trees"]):
        raise ExportError(f"{path} has leaves for several targets. Fit with multi_strategy='one_output_per_tree'.")
    trees = [
        tree_of(tree, target, 1.0 if weights is None else weights[index])
        for index, (tree, target) in enumerate(zip(forest["trees"], forest["tree_info"], strict=True))
    ]
    used = trees_used(model, forest)
    symbols = categorical_columns(context, list(columns), trees, known_categories(forest), path)
    if context.sparse:
        symbols = zeros_missing(symbols, context)
    add_start(trees[:used], start(learner["learner_model_param"]["base_score"], objective, targets), np.float32)
    context.float32 = True
    raw = ensemble(context, symbols, trees[:used], Comparison(np.float32, strict=True), targets)
    return answer(context, model, objective, raw, targets, path)


def answer(context: Context, model: Any, objective: str, raw: str, targets: int, path: str) -> Lowered:
    """What the objective makes of the sums."""
    graph = context.graph
    if hasattr(model, "classes_"):
        if objective in SOFTMAX:
            only_class = objective == "multi:softmax" and native(model)
            shares = None if only_class else graph.node("Softmax", raw, axis=1)
            return Lowered(probabilities=shares, scores=raw, wide=False)
        if objective in LOGISTIC and targets > 1:
            return labels_of_shares(graph, graph.double(graph.node("Sigmoid", raw)), targets)
        both = graph.node("Mul", raw, graph.constant([[-1, 1]], np.float32))
        if objective in LOGISTIC:
            return Lowered(probabilities=graph.node("Sigmoid", both), scores=both, wide=False)
        if objective == "binary:hinge":
            return Lowered(scores=both, wide=False)
    elif objective in LOGISTIC:
        return Lowered(value=graph.node("Sigmoid", raw), count=targets, wide=False)
    elif objective in IDENTITY:
        return Lowered(value=raw, count=targets, wide=False)
    elif objective in LOGARITHM:
        return Lowered(value=graph.node("Exp", raw), count=targets, wide=False)
    elif objective == "binary:hinge":
        positive = graph.node("Greater", raw, graph.constant(0.0, np.float32))
        return Lowered(value=graph.cast(positive, TensorProto.FLOAT), count=targets, wide=False)
    raise ExportError(f"{path} has the objective {objective!r}, which cannot be exported. Fit with a standard objective.")


def native(model: Any) -> bool:
    """Whether it is a booster, whose `multi:softmax` answers with the class alone."""
    return hasattr(model, "inner")


def start(text: str, objective: str, targets: int) -> list[float]:
    """The start of the sums: `base_score` on their scale."""
    scores = [float(score) for score in str(text).strip("[]").split(",")]
    if objective in LOGISTIC:
        scores = [float(np.log(score / (1 - score))) for score in scores]
    elif objective in LOGARITHM:
        scores = [float(np.log(score)) for score in scores]
    return scores if len(scores) == targets else scores * targets


def trees_used(model: Any, forest: dict[str, Any]) -> int:
    """How many of the trees predict: after early stopping, those up to the best iteration."""
    total = len(forest["trees"])
    try:
        best = int(model.best_iteration) + 1
    except AttributeError:
        return total
    ends = forest.get("iteration_indptr") or []
    return int(ends[best]) if best < len(ends) else total


def tree_of(tree: dict[str, Any], target: int, weight: float) -> Tree:
    """One tree. The codes of a set lead to the right, and a leaf's value stands where an inner node has its threshold."""
    left = np.array(tree["left_children"], dtype=np.int64)
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    sets = {}
    for node, first, size in zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True):
        sets[int(node)] = frozenset(float(code) for code in tree["categories"][first : first + size])
    right = np.array(tree["right_children"], dtype=np.int64)
    turned = np.zeros(len(left), dtype=bool)
    turned[list(sets)] = True
    default_left = np.array(tree["default_left"], dtype=bool)
    return Tree(
        left=np.where(turned, right, left),
        right=np.where(turned, left, right),
        feature=np.array(tree["split_indices"], dtype=np.int64),
        threshold=conditions,
        values=conditions.reshape(-1, 1).astype(np.float64) * weight,
        targets=(int(target),),
        missing_left=default_left != turned,
        sets=sets,
        cover=np.array(tree["sum_hessian"], dtype=np.float64),
    )


def categorical_columns(
    context: Context, columns: list[Column], trees: list[Tree], categories: list[list[Any]], path: str
) -> list[Column]:
    """Columns of type `category` as XGBoost sees them: the positions of the categories."""
    for index, column in enumerate(columns):
        position = variable_of(column)
        if position is None or not context.variables[position].categorical:
            continue
        if isinstance(column, Category) and not column.is_plain:
            continue
        variable = context.variables[position]
        known = categories[index] if index < len(categories) and categories[index] else list(variable.series.cat.categories)
        if variable.type in ("integer", "number"):  # XGBoost fails on any other
            whole = whole_range([plain(value) for value in known], variable, path)
            variable.bounds = (whole[0], whole[-1])
        columns[index] = coded(variable, position, [plain(value) for value in known])
    for position in {int(tree.feature[node]) for tree in trees for node in tree.sets}:
        if isinstance(columns[position], Number):
            raise ExportError("a categorical feature is not a category of the data. Use a column of type 'category'.")
    return columns


def coded(variable: Variable, position: int, known: Sequence[Any], unknown: Any = NONE) -> Category:
    """A column of type `category` as positions in the categories that the model knows, and NaN if missing.

    Categories that the model does not know are `unknown`.
    """
    if variable.type == "string":
        variable.claim(known)
    codes = {value: float(code) for code, value in enumerate(known)}
    values = variable.values if variable.type == "string" else tuple(known)
    table = Table.of([codes.get(value, np.nan) for value in values])
    known_unknown = variable.type != "boolean" and variable.knows_unknown
    return Category(position, values, table, np.nan, unknown if known_unknown else NONE)


def known_categories(forest: dict[str, Any]) -> list[list[Any]]:
    """The categories of each feature, which the model holds since XGBoost 3.1; empty for numbers.

    Also empty for texts beyond ASCII: XGBoost 3.2 counts their characters instead of their bytes.
    """
    result: list[list[Any]] = []
    for encoded in (forest.get("cats") or {}).get("enc", []):
        values = encoded["values"]
        if "offsets" in encoded:
            ends, content = encoded["offsets"], bytes(value % 256 for value in values)
            spans = pairwise(ends) if content.isascii() else ()
            values = [content[start:end].decode() for start, end in spans]
        result.append(values)
    return result
