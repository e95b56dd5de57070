"""XGBoost, from the JSON of its booster."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..columns.symbols import NONE, Category, Column, Number
from ..context import Context
from ..errors import ExportError
from ..trees import Comparison, Tree, ensemble
from .boosting import binary
from .registry import Lowered

IDENTITY = {"reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:squaredlogerror", "reg:quantileerror"}
LOGARITHM = {"count:poisson", "reg:gamma", "reg:tweedie"}
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
    targets = max(1, int(learner["learner_model_param"]["num_class"]))
    if int(learner["learner_model_param"].get("num_target", 1)) > 1:
        raise ExportError(f"{path} predicts several targets at once. Fit and export one model for each.")
    trees = [
        tree_of(tree, target, 1.0 if weights is None else weights[index])
        for index, (tree, target) in enumerate(zip(forest["trees"], forest["tree_info"], strict=True))
    ]
    used = trees_used(model, forest)
    symbols = categorical_columns(context, list(columns), trees)
    base = start(learner["learner_model_param"]["base_score"], objective, targets)
    raw = ensemble(context, symbols, trees[:used], Comparison(np.float32, strict=True), targets, base)
    graph = context.graph
    if objective in LOGISTIC:
        return binary(context, raw) if hasattr(model, "classes_") else Lowered(value=graph.node("Sigmoid", raw))
    if objective in SOFTMAX:
        return Lowered(probabilities=graph.node("Softmax", raw, axis=1), scores=raw)
    if objective in IDENTITY:
        return Lowered(value=raw)
    if objective in LOGARITHM:
        return Lowered(value=graph.node("Exp", raw))
    raise ExportError(f"{path} has the objective {objective!r}, which cannot be exported. Fit with a standard objective.")


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
    )


def categorical_columns(context: Context, columns: list[Column], trees: list[Tree]) -> list[Column]:
    """Columns of type `category` as XGBoost sees them: the positions of the categories."""
    for index, column in enumerate(columns):
        position = column.source if isinstance(column, Number) else column.variable
        if not isinstance(position, int) or not context.variables[position].categorical:
            continue
        if isinstance(column, Category) and column.table != column.values:
            continue
        variable = context.variables[position]
        open_ended = variable.type not in ("string", "boolean")
        missing = NONE if variable.missing is NONE else np.nan
        table = tuple(float(code) for code in range(len(variable.values)))
        columns[index] = Category(position, variable.values, table, missing, np.nan if open_ended else NONE)
    for position in {int(tree.feature[node]) for tree in trees for node in tree.sets}:
        if isinstance(columns[position], Number):
            raise ExportError("a categorical feature is not a category of the data. Use a column of type 'category'.")
    return columns
