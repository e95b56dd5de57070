"""LightGBM, from `booster_.dump_model()`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..columns.functions import log1p
from ..columns.symbols import Category, Column, Number, Table, variable_of
from ..columns.variables import Variable
from ..context import Context
from ..errors import ExportError
from ..trees import Comparison, Tree
from ..types import plain
from .boosting import Sums, binary
from .registry import Lowered
from .xgboost import coded

IDENTITY = {"regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg"}
LOGARITHM = {"poisson", "gamma", "tweedie"}
OWN_OBJECTIVE = "custom"
ZERO = float(np.float32(1e-35))
"""LightGBM reads a number of at most this size as 0, and puts thresholds at both ends of the range."""


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    graph = context.graph
    dump = model.booster_.dump_model()
    objective, *options = dump.get("objective", OWN_OBJECTIVE).split()
    trees = [
        LightGbmTree(tree, index % dump["num_tree_per_iteration"], path).tree() for index, tree in enumerate(dump["tree_info"])
    ]
    if not trees:
        raise ExportError(f"{path} has no trees, so it predicts nothing. Fit it with at least one.")
    count = dump["num_tree_per_iteration"]
    if dump["average_output"]:
        for tree in trees:
            tree.values = tree.values * count / len(trees)
    symbols = categorical_columns(context, list(columns), trees, dump.get("pandas_categorical") or [], path)
    sums = Sums(symbols, trees, Comparison(np.float64), count)
    if objective == "binary":
        shares = binary(context, sums, option(options, "sigmoid"))
        return shares if hasattr(model, "classes_") else Lowered(value=graph.take(shares.probabilities or "", [1]))
    raw = sums.tensor(context)
    if objective == "multiclass":
        return Lowered(probabilities=graph.node("Softmax", raw, axis=1), scores=raw, decision=raw)
    if objective == "multiclassova":
        # LightGBM leaves it at that: the probabilities of the classes do not add up to 1.
        return Lowered(probabilities=graph.node("Sigmoid", graph.node("Mul", raw, graph.constant(option(options, "sigmoid")))))
    if objective == OWN_OBJECTIVE and not hasattr(model, "classes_"):  # LightGBM answers with the sum
        return Lowered(value=raw)
    if objective in IDENTITY and "sqrt" in options:
        return Lowered(value=graph.node("Mul", raw, graph.node("Abs", raw)))
    if objective in IDENTITY:
        return Lowered(value=raw)
    if objective in LOGARITHM:
        return Lowered(value=graph.node("Exp", raw))
    if objective == "cross_entropy":
        return Lowered(value=graph.node("Sigmoid", raw))
    if objective == "cross_entropy_lambda":
        return Lowered(value=log1p(graph, graph.node("Exp", raw)))
    raise ExportError(f"{path} has the objective {objective!r}, which cannot be exported. Fit with a standard objective.")


def option(options: list[str], name: str) -> float:
    """An option in the text of an objective, such as `sigmoid:1`."""
    return next((float(entry.split(":")[1]) for entry in options if entry.startswith(f"{name}:")), 1.0)


def categorical_columns(
    context: Context, columns: list[Column], trees: list[Tree], categories: list[list[Any]], path: str
) -> list[Column]:
    """The columns, with categories as LightGBM's codes."""
    frames = iter(categories)
    for index, column in enumerate(columns):
        position = variable_of(column)
        if position is None or not is_plain(column) or not context.variables[position].categorical:
            continue
        variable = context.variables[position]
        known = next(frames, None)
        if known is None:
            raise ExportError(f"{path} was not fitted on a data frame with the category column {variable.name!r}, which X has.")
        # LightGBM reads a category that it does not know as missing.
        columns[index] = coded(variable, position, [plain(value) for value in known], np.nan)
    for index in sorted({int(tree.feature[node]) for tree in trees for node in tree.sets}):
        column = columns[index]
        if isinstance(column, Number):
            if not isinstance(column.source, int) or column.steps:
                raise ExportError(
                    f"{path}: a categorical feature is the result of a calculation. Use a column of type 'category'."
                )
            require_whole(context.variables[column.source], path)
            sets = [codes for tree in trees for node, codes in tree.sets.items() if tree.feature[node] == index]
            values = tuple(sorted(frozenset().union(*sets)))
            columns[index] = Category(column.source, values, Table.of(values), np.nan, -1.0)
    return columns


def require_whole(variable: Variable, path: str) -> None:
    """LightGBM cuts off the fraction of a category's code, so the API accepts whole numbers only."""
    present = variable.series.dropna().astype(float)
    if (present % 1 != 0).any():
        raise ExportError(
            f"{path} reads column {variable.name!r} as a categorical feature, and cuts off the fractions that it has. Round the "
            "column and fit again."
        )
    if variable.type == "number":
        variable.type = "integer"


def is_plain(column: Column) -> bool:
    """Whether the column is an unchanged column of the data frame."""
    return column.is_plain if isinstance(column, Category) else not column.steps


def past_zero(threshold: float) -> float:
    """A threshold that decides as LightGBM's does, for which all numbers within ±ZERO are 0."""
    if abs(threshold) > ZERO:
        return threshold
    return ZERO if threshold >= 0 else float(np.nextafter(-ZERO, -1))


class LightGbmTree:
    """Turns the nested nodes of one tree into arrays."""

    def __init__(self, dump: dict[str, Any], target: int, path: str) -> None:
        self.target, self.path = target, path
        self.nodes: list[dict[str, Any]] = []
        self.children: list[tuple[int, int]] = []
        # Trees can be deeper than Python's stack.
        waiting: list[tuple[dict[str, Any], int, int]] = [(dump["tree_structure"], -1, 0)]
        while waiting:
            node, parent, side = waiting.pop()
            index = len(self.nodes)
            self.nodes.append(node)
            self.children.append((-1, -1))
            if parent >= 0:
                left, right = self.children[parent]
                self.children[parent] = (index, right) if side == 0 else (left, index)
            if "split_feature" in node:
                waiting += [(node["right_child"], index, 1), (node["left_child"], index, 0)]

    def tree(self) -> Tree:
        size = len(self.nodes)
        feature, threshold = np.zeros(size, dtype=np.int64), np.zeros(size)
        values, missing_left = np.zeros((size, 1)), np.zeros(size, dtype=bool)
        # A tree of one leaf has no count.
        cover = np.array([node.get("internal_count", node.get("leaf_count", 1)) for node in self.nodes])
        sets: dict[int, frozenset[float]] = {}
        for index, node in enumerate(self.nodes):
            if "split_feature" not in node:
                if "leaf_const" in node or "leaf_coeff" in node:
                    raise ExportError(f"{self.path} was fitted with linear_tree=True, which cannot be exported.")
                values[index] = node["leaf_value"]
                continue
            feature[index] = node["split_feature"]
            if node["missing_type"] == "Zero":
                raise ExportError(f"{self.path} was fitted with zero_as_missing=True. Write missing values as NaN and fit again.")
            if node["decision_type"] == "==":
                sets[index] = frozenset(float(code) for code in str(node["threshold"]).split("||"))
                continue
            if node["decision_type"] != "<=":
                raise ExportError(f"{self.path} has splits of the type {node['decision_type']!r}, which cannot be exported.")
            threshold[index] = past_zero(node["threshold"])
            # Without missing values in training, LightGBM reads NaN as 0.
            missing_left[index] = node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0
        left, right = (np.array(side, dtype=np.int64) for side in zip(*self.children, strict=True))
        return Tree(left, right, feature, threshold, values, (self.target,), missing_left, sets, cover)
