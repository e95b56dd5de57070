"""Converts trees of any library into one operator: a sum of leaf values for each target."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from onnx import numpy_helper

from .columns.splits import LEQ, NEQ, Extras, Split, membership_of, number_thresholds, split_of
from .columns.stepwise import stepwise
from .columns.symbols import Category, Column, Number, Tensor, computed
from .context import Context
from .errors import ExportError
from .graph import INPUT, Array

LEAF = b"LEAF"


@dataclass
class Tree:
    """One tree in arrays, an entry per node; node 0 is the root.

    `x[feature] <= threshold` leads to `left`. `sets` holds, for nodes that test a category, the codes that lead to `left`.
    """

    left: Array  # -1: a leaf
    right: Array
    feature: Array
    threshold: Array
    values: Array  # [nodes, targets]: what a leaf adds to each of `targets`
    targets: Sequence[int] = (0,)
    missing_left: Array | None = None
    sets: dict[int, frozenset[float]] = field(default_factory=dict)
    cover: Array | None = None  # the weight of the training rows that reached each node

    @property
    def leaf(self) -> Array:
        """A mask of the leaves."""
        return np.asarray(self.left < 0)


@dataclass
class Comparison:
    """How the library compares."""

    dtype: Any  # the type that it casts a feature to
    strict: bool = False  # `<` rather than `<=`
    missing: bool = True  # whether it takes missing values


def ensemble(
    context: Context,
    columns: Sequence[Column],
    trees: Sequence[Tree],
    comparison: Comparison,
    targets: int = 1,
) -> str:
    """The sums of the trees' leaves in float32, in the order of the trees: a tensor [N, targets]."""
    context.requests.shares_leaves = True
    forest = compared(context, columns, trees, comparison)
    return INPUT if forest is None else float32_sums(context, trees, forest, targets)


def exact_ensemble(
    context: Context,
    columns: Sequence[Column],
    trees: Sequence[Tree],
    comparison: Comparison,
    targets: int = 1,
    weights: Array | float = 1.0,
) -> str:
    """The sums in float64, times `weights`: a matrix with a row for each target, or one number.

    `TreeEnsemble` has leaves in float64, but each belongs to one target. `TreeEnsembleRegressor`, whose leaves several targets
    share, answers in float32. So each leaf's value is split into a multiple of a quantum, which is large enough for every sum of
    multiples to be exact, and a small remainder, whose sum has a small error. The two sums are added in float64. A graph has one
    of the two operators, since no version of ai.onnx.ml has both.
    """
    graph = context.graph
    matrix = np.eye(targets) * weights if np.ndim(weights) == 0 else np.asarray(weights)
    # `TreeEnsemble` cannot say how many training rows reached a leaf, which contributions need.
    context.requests.shares_leaves |= context.explain or any(len(tree.targets) > 1 for tree in trees)
    if not context.layout.shares_leaves and all(len(tree.targets) == 1 for tree in trees):
        forest = compared(context, columns, trees, comparison)
        if forest is None:
            return INPUT
        sums = float64_sums(context, trees, forest, targets)
        if np.array_equal(matrix, np.eye(targets)):
            return sums
        return graph.node("MatMul", sums, graph.constant(matrix))
    largest = sum(float(np.abs(tree.values[tree.leaf]).max()) for tree in trees)
    quantum = 2.0 ** (np.ceil(np.log2(largest)) - 23) if largest else 1.0
    halves = []
    for tree in trees:
        values = np.asarray(tree.values, dtype=np.float64).reshape(len(tree.left), -1)
        coarse = np.round(values / quantum) * quantum
        both = (*tree.targets, *(target + targets for target in tree.targets))
        halves.append(replace(tree, values=np.hstack([coarse, values - coarse]), targets=both))
    forest = compared(context, columns, halves, comparison)
    if forest is None:
        return INPUT
    sums = graph.double(float32_sums(context, halves, forest, 2 * targets))
    return graph.node("MatMul", sums, graph.constant(np.vstack([matrix, matrix])))


@dataclass
class Forest:
    """All trees' nodes one after the other, compared with columns of a tensor."""

    tensor: str
    width: int  # the columns of the tensor
    wide: bool  # whether the tensor is float64
    nodes: "Nodes"
    leaf: Array
    starts: Array  # the first node of each tree, and the end
    feature: Array  # the column of the tensor
    true: Array  # the children, as positions within the tree
    false: Array
    missing_true: Array  # whether a missing value takes the true branch


def compared(context: Context, columns: Sequence[Column], trees: Sequence[Tree], comparison: Comparison) -> Forest | None:
    """The comparisons of all nodes; None in the first lowering, which only finds out what the model reads."""
    context.request(columns, dense=False, missing=comparison.missing, narrow=comparison.dtype is np.float32)
    if context.layout.provisional:
        return None
    extras = Extras(context)
    feature = np.concatenate([tree.feature for tree in trees]).astype(np.int64)
    leaf = np.concatenate([tree.leaf for tree in trees])
    threshold = np.concatenate([tree.threshold for tree in trees]).astype(np.float64)
    missing_left = np.concatenate([directions(tree) for tree in trees])
    starts = np.cumsum([0, *(len(tree.left) for tree in trees)])
    sets = {int(start) + node: codes for start, tree in zip(starts, trees, strict=False) for node, codes in tree.sets.items()}

    nodes = Nodes(len(feature))
    in_set = np.zeros(len(feature), dtype=bool)
    in_set[list(sets)] = True
    order_by_feature = np.argsort(np.where(leaf, -1, feature), kind="stable")
    branches = order_by_feature[np.count_nonzero(leaf) :]
    for mine in np.split(branches, np.flatnonzero(np.diff(feature[branches])) + 1):
        if not len(mine):
            continue
        column = columns[feature[mine[0]]]
        if isinstance(column, Number):
            if in_set[mine].any():
                raise AssertionError("a set of categories is compared with a number")
            compare_number(extras, nodes, mine, column, threshold[mine], missing_left[mine], comparison)
        else:
            compare_category(extras, nodes, mine, column, threshold, missing_left, sets, comparison)
    tensor, order = extras.tensor()
    left = np.concatenate([tree.left for tree in trees])
    right = np.concatenate([tree.right for tree in trees])
    return Forest(
        tensor=tensor,
        width=len(order),
        wide=context.layout.wide or bool(extras.entries),
        nodes=nodes,
        leaf=leaf,
        starts=starts,
        feature=np.where(leaf, 0, order[nodes.column]),
        true=np.where(nodes.swapped, right, left),
        false=np.where(nodes.swapped, left, right),
        # Where the comparison is reversed, its "true" is the feature's "false".
        missing_true=np.where(leaf | ~nodes.can_be_nan, False, nodes.missing != nodes.swapped),
    )


def float32_sums(context: Context, trees: Sequence[Tree], forest: Forest, targets: int) -> str:
    """`TreeEnsembleRegressor`, of version 3 of ai.onnx.ml."""
    nodes, leaf = forest.nodes, forest.leaf
    sizes = np.diff(forest.starts)
    attributes: dict[str, Any] = {
        "nodes_treeids": np.repeat(np.arange(len(trees)), sizes).tolist(),
        "nodes_nodeids": (np.arange(len(leaf)) - np.repeat(forest.starts[:-1], sizes)).tolist(),
        "nodes_featureids": forest.feature.tolist(),
        "nodes_modes": np.where(leaf, LEAF, np.where(nodes.unequal, NEQ, LEQ)).tolist(),
        "nodes_truenodeids": np.where(leaf, 0, forest.true).tolist(),
        "nodes_falsenodeids": np.where(leaf, 0, forest.false).tolist(),
        "n_targets": targets,
        "aggregate_function": "SUM",
        "post_transform": "NONE",
        **numbers("nodes_values", np.where(leaf, 0, nodes.threshold), forest.wide),
        **leaves(trees, forest.wide),
    }
    if forest.missing_true.any():
        attributes["nodes_missing_value_tracks_true"] = forest.missing_true.astype(int).tolist()
    if context.explain:
        attributes |= covers(trees)
    [name] = context.graph.nodes("TreeEnsembleRegressor", [forest.tensor], 1, domain="ai.onnx.ml", **attributes)
    if context.explain:
        read = np.concatenate([tree.feature for tree in trees]).astype(np.int64)
        context.graph.tree_features[name] = features_of(forest.feature[~leaf], read[~leaf], forest.width)
    return name


def float64_sums(context: Context, trees: Sequence[Tree], forest: Forest, targets: int) -> str:
    """`TreeEnsemble`, of version 5 of ai.onnx.ml: branches and leaves are numbered apart, each leaf belongs to one target."""
    graph, nodes, leaf = context.graph, forest.nodes, forest.leaf
    first = np.repeat(forest.starts[:-1], np.diff(forest.starts))
    values = np.concatenate([np.asarray(tree.values, dtype=np.float64).ravel() for tree in trees])[leaf]
    owners = np.repeat([tree.targets[0] for tree in trees], [np.count_nonzero(tree.leaf) for tree in trees])
    alone = leaf[forest.starts[:-1]]  # trees that are one leaf get a branch, whose children both are that leaf
    number = np.where(leaf, np.cumsum(leaf), np.cumsum(~leaf)) - 1
    branches = np.count_nonzero(~leaf)
    roots = np.where(alone, branches + np.cumsum(alone) - 1, number[forest.starts[:-1]])
    lone = number[forest.starts[:-1]][alone]

    def children(side: Array) -> tuple[list[int], list[int]]:
        child = (first + side)[~leaf]
        numbers_of = np.append(number[child], lone)
        return numbers_of.tolist(), np.append(leaf[child], np.ones(len(lone), dtype=int)).astype(int).tolist()

    def with_lone(entries: Array, fill: float = 0) -> Array:
        return np.append(entries[~leaf], np.full(len(lone), fill, dtype=entries.dtype))

    true, true_leaf = children(forest.true)
    false, false_leaf = children(forest.false)
    tensor = forest.tensor if forest.wide else graph.double(forest.tensor)
    modes = with_lone(np.where(nodes.unequal, 5, 0).astype(np.uint8))
    attributes: dict[str, Any] = {
        "aggregate_function": 1,
        "leaf_targetids": owners.tolist(),
        "leaf_weights": numpy_helper.from_array(values, "leaf_weights"),
        "n_targets": targets,
        "nodes_falseleafs": false_leaf,
        "nodes_falsenodeids": false,
        "nodes_featureids": with_lone(forest.feature).tolist(),
        "nodes_modes": numpy_helper.from_array(modes, "nodes_modes"),
        "nodes_splits": numpy_helper.from_array(with_lone(nodes.threshold), "nodes_splits"),
        "nodes_trueleafs": true_leaf,
        "nodes_truenodeids": true,
        "post_transform": 0,
        "tree_roots": roots.tolist(),
    }
    if forest.missing_true.any():
        attributes["nodes_missing_value_tracks_true"] = with_lone(forest.missing_true).astype(int).tolist()
    return graph.nodes("TreeEnsemble", [tensor], 1, domain="ai.onnx.ml", **attributes)[0]


class Nodes:
    """The comparisons of all nodes, as attributes of the operator."""

    def __init__(self, size: int) -> None:
        self.column = np.zeros(size, dtype=np.int64)
        self.threshold = np.zeros(size)
        self.unequal = np.zeros(size, dtype=bool)
        self.swapped = np.zeros(size, dtype=bool)
        self.missing = np.zeros(size, dtype=bool)
        self.can_be_nan = np.zeros(size, dtype=bool)


def numbers(name: str, values: Array, wide: bool) -> dict[str, Any]:
    """An attribute of numbers: a float64 tensor if `wide`, else a list of float32."""
    if wide:
        return {f"{name}_as_tensor": numpy_helper.from_array(values.astype(np.float64), name)}
    largest = np.finfo(np.float32).max
    return {name: np.clip(values, -largest, largest).astype(np.float32).tolist()}


def covers(trees: Sequence[Tree]) -> dict[str, Any]:
    """The training rows that reached each node, as an attribute of the operator."""
    if any(tree.cover is None for tree in trees):
        raise ExportError("explain: the model does not hold how many training rows reached each node of its trees.")
    values = np.concatenate([np.asarray(tree.cover, dtype=np.float64) for tree in trees])
    return numbers("nodes_hitrates", values, wide=bool(np.any(values.astype(np.float32) != values)))


def features_of(columns: Array, features: Array, count: int) -> list[int] | None:
    """For each column of the trees' input, the model's feature; None if each column is one.

    The columns that a feature is read from are explained as one. So are features that are read from the same column.
    """
    pairs = np.unique(np.stack([columns, features], axis=1), axis=0)
    groups = list(range(count))  # of columns, each named after its first one
    for feature in np.unique(pairs[:, 1]):
        mine = {groups[column] for column in pairs[pairs[:, 1] == feature, 0]}
        groups = [min(mine) if group in mine else group for group in groups]
    return None if groups == list(range(count)) else groups


def directions(tree: Tree) -> Array:
    """For each node, whether missing values go to the left."""
    return np.zeros(len(tree.left), dtype=bool) if tree.missing_left is None else tree.missing_left.astype(bool)


def compare_number(
    extras: Extras, nodes: Nodes, mine: Array, column: Number, threshold: Array, missing_left: Array, how: Comparison
) -> None:
    """Fills in the nodes that compare one number."""
    context = extras.context
    layout = context.layout
    column = comparable(context, column)
    different, inverse = np.unique(threshold, return_inverse=True)
    if isinstance(column.source, Tensor):
        nodes.column[mine], can_be_nan = extras.column(column.source), column.source.can_be_nan
        borders = number_thresholds(column, different, how.strict, how.dtype, np.float64)
    else:
        nodes.column[mine], can_be_nan = layout.first[column.source], layout.codings[column.source].can_be_nan
        borders = number_thresholds(column, different, how.strict, how.dtype, np.float64 if layout.wide else np.float32)
        context.thresholds.setdefault(column.source, []).append(borders)
    nodes.threshold[mine] = borders[inverse]
    value = column.evaluate(np.array([np.nan])).astype(how.dtype)[0]
    if np.isnan(value):
        nodes.missing[mine] = missing_left
    else:
        nodes.missing[mine] = value < threshold if how.strict else value <= threshold
    nodes.can_be_nan[mine] = can_be_nan


def comparable(context: Context, column: Number) -> Number:
    """The column as an increasing function of a field or a tensor: the graph computes functions that are not."""
    if not column.functions:
        return column
    bounds = context.variables[column.source].bounds if isinstance(column.source, int) else None
    largest = float(np.finfo(np.float64).max)
    ends = [side if bound is None else bound for side, bound in zip((-largest, largest), bounds or (None, None), strict=True)]
    defined = not np.isnan(column.evaluate(np.array(ends, dtype=np.float64))).any()
    if defined and all(function.increasing for function in column.functions):
        return column
    cut = computed(column.steps)
    tensor = stepwise(context, replace(column, steps=column.steps[:cut]))
    return Number(Tensor(tensor, 0, can_be_nan=True), column.steps[cut:], column.dtype)


def compare_category(
    extras: Extras,
    nodes: Nodes,
    mine: Array,
    column: Category,
    threshold: Array,
    missing_left: Array,
    sets: dict[int, frozenset[float]],
    how: Comparison,
) -> None:
    """Fills in the nodes that compare one category."""
    numbers = column.numbers().astype(how.dtype)
    can_be_nan = extras.context.layout.codings[column.variable].can_be_nan
    known: dict[Any, Split] = {}
    for node in mine:
        test = sets.get(int(node), float(threshold[node]))
        key = (test, bool(missing_left[node]))
        if key not in known:
            if isinstance(test, frozenset):
                inside = np.array([number in test for number in numbers.tolist()])
            else:
                inside = numbers < test if how.strict else numbers <= test
            inside = np.where(np.isnan(numbers), missing_left[node], inside)
            known[key] = split_of(extras, membership_of(column, inside))
        split = known[key]
        nodes.column[node] = split.column
        nodes.threshold[node] = split.threshold
        nodes.unequal[node] = split.mode == NEQ
        nodes.swapped[node] = split.swapped
        nodes.missing[node] = split.missing
        nodes.can_be_nan[node] = can_be_nan


def leaves(trees: Sequence[Tree], wide: bool) -> dict[str, Any]:
    """The leaves' values, as attributes of the operator. Most zeros are omitted."""
    tree_ids, node_ids, target_ids, weights = [], [], [], []
    for index, tree in enumerate(trees):
        at = np.flatnonzero(tree.leaf)
        values = np.asarray(tree.values, dtype=np.float64).reshape(len(tree.left), -1)[at]
        keep = values != 0
        keep[~keep.any(axis=1), 0] = True
        keep[0] = True  # no fewer weights than targets
        row, column = np.nonzero(keep)
        tree_ids.append(np.full(len(row), index))
        node_ids.append(at[row])
        target_ids.append(np.asarray(tree.targets)[column])
        weights.append(values[row, column])
    return {
        "target_treeids": np.concatenate(tree_ids).tolist(),
        "target_nodeids": np.concatenate(node_ids).tolist(),
        "target_ids": np.concatenate(target_ids).tolist(),
        **numbers("target_weights", np.concatenate(weights), wide),
    }
