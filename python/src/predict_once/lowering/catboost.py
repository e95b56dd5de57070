"""CatBoost on numbers, from its JSON format."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from ..trees import Tree
from .boosting import Sums, binary
from .forests import FLOAT32
from .mlp import labels_of_shares
from .registry import Lowered

IDENTITY = {"RMSE", "MAE", "Quantile", "MAPE", "Huber", "Expectile", "Lq", "LogCosh", "MultiRMSE", "MultiQuantile"} | {
    "YetiRank",
    "YetiRankPairwise",
    "PairLogit",
    "PairLogitPairwise",
    "QueryRMSE",
    "QuerySoftMax",
    "LambdaMart",
}
LOGARITHM = {"Poisson", "Tweedie"}
LOGISTIC = {"Logloss", "CrossEntropy"}
MISSING_LEFT = {"AsIs": True, "AsFalse": True, "AsTrue": False}
"""Whether missing values go to the left, by `nan_value_treatment`."""


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    if not model.is_fitted():
        raise ExportError(f"{path} has not been fitted. Call fit first.")
    dump = saved(model)
    if set(dump["features_info"]) - {"float_features"}:
        raise ExportError(
            f"{path} was fitted with categorical, text or embedding features, whose statistics cannot be exported. Encode them "
            "before it (OneHotEncoder or OrdinalEncoder in a ColumnTransformer), or fit LightGBM on columns of type 'category'."
        )
    scale, bias = dump["scale_and_bias"]
    base = np.atleast_1d(np.asarray(bias, dtype=np.float64))
    trees = [tree_of(tree, dump["features_info"]["float_features"], len(base)) for tree in trees_in(dump)]
    for tree in trees:
        tree.values = tree.values * scale
    sums = Sums(columns, trees, FLOAT32, len(base), base.tolist())
    graph = context.graph
    loss = dump["model_info"]["params"]["loss_function"]["type"]
    if hasattr(model, "classes_") and len(model.classes_):
        if loss in LOGISTIC:
            return binary(context, sums)
        if loss in ("MultiLogloss", "MultiCrossEntropy"):
            return labels_of_shares(graph, graph.node("Sigmoid", sums.tensor(context)), len(base))
        if loss == "MultiClassOneVsAll":
            raw = sums.tensor(context)
            return Lowered(probabilities=graph.node("Sigmoid", raw), scores=raw, index=graph.index(raw))
        if loss == "MultiClass":
            raw = sums.tensor(context)
            return Lowered(probabilities=graph.node("Softmax", raw, axis=1), scores=raw)
    elif loss in IDENTITY:
        return Lowered(value=sums.tensor(context), count=len(base))
    elif loss in LOGARITHM:
        return Lowered(value=graph.node("Exp", sums.tensor(context)))
    raise ExportError(f"{path} has the loss function {loss!r}, which cannot be exported. Fit with a standard loss function.")


def saved(model: Any) -> dict[str, Any]:
    """The model as CatBoost writes it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.json"
        model.save_model(str(file), format="json")
        result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return result


def trees_in(dump: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The trees as nested nodes, whether symmetric or not."""
    if "trees" in dump:
        return list(dump["trees"])
    return [nested(tree["splits"], tree["leaf_values"], tree["leaf_weights"]) for tree in dump["oblivious_trees"]]


def nested(splits: Sequence[dict[str, Any]], values: Sequence[float], weights: Sequence[float]) -> dict[str, Any]:
    """A symmetric tree: all nodes of a level have the same split. The last split is the highest bit of a leaf's position."""
    if not splits:
        return {"value": values, "weight": weights[0]}
    half, middle = len(values) // 2, len(weights) // 2
    lower_part = nested(splits[:-1], values[:half], weights[:middle])
    upper_part = nested(splits[:-1], values[half:], weights[middle:])
    return {"split": splits[-1], "left": lower_part, "right": upper_part}


def tree_of(root: dict[str, Any], features: Sequence[Mapping[str, Any]], targets: int) -> Tree:
    """One tree: `x > border` leads to the right."""
    nodes: list[dict[str, Any]] = []
    children: list[list[int]] = []
    waiting: list[tuple[dict[str, Any], int, int]] = [(root, -1, 0)]
    while waiting:
        node, parent, side = waiting.pop()
        index = len(nodes)
        nodes.append(node)
        children.append([-1, -1])
        if parent >= 0:
            children[parent][side] = index
        if "split" in node:
            waiting += [(node["right"], index, 1), (node["left"], index, 0)]
    # The weight of a branch is that of its leaves, and children come after their parent.
    cover = np.array([0.0 if "split" in node else node["weight"] for node in nodes])
    for index in reversed(range(len(nodes))):
        if "split" in nodes[index]:
            cover[index] = cover[children[index]].sum()
    splits = [node.get("split") for node in nodes]
    of = [None if split is None else features[split["float_feature_index"]] for split in splits]
    return Tree(
        left=np.array([pair[0] for pair in children]),
        right=np.array([pair[1] for pair in children]),
        feature=np.array([0 if feature is None else feature["flat_feature_index"] for feature in of]),
        threshold=np.array([0.0 if split is None else np.float32(split["border"]) for split in splits]),
        values=np.array([np.zeros(targets) if "split" in node else np.ravel(node["value"]) for node in nodes]),
        targets=range(targets),
        missing_left=np.array([feature is not None and MISSING_LEFT[feature["nan_value_treatment"]] for feature in of]),
        cover=cover,
    )
