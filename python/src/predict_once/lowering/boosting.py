"""scikit-learn's gradient boosting: GradientBoosting and HistGradientBoosting."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..class_names import class_names
from ..columns.symbols import Column, Number
from ..columns.transformers import encoder
from ..context import Context
from ..errors import ExportError
from ..graph import Array
from ..trees import Comparison, Tree, exact_ensemble
from .forests import tree_of
from .linear import inverse_link
from .registry import Lowered


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    histogram = any("HistGradientBoosting" in name for name in class_names(model))
    sums = histogram_sums(context, model, list(columns), path) if histogram else gradient_sums(model, columns, path)
    if hasattr(model, "classes_") and len(model.classes_) == 2:
        return binary(context, sums, 2.0 if getattr(model, "loss", "") == "exponential" else 1.0)
    raw = sums.tensor(context)
    if not hasattr(model, "classes_"):
        return Lowered(value=inverse_link(context, model._loss, raw, path))
    return Lowered(probabilities=context.graph.node("Softmax", raw, axis=1), scores=raw, decision=raw)


def binary(context: Context, sums: "Sums", factor: float = 1.0) -> Lowered:
    """Two classes from the log odds of the second: the sum times the factor."""
    graph = context.graph
    both = sums.tensor(context, np.array([[-factor, factor]]))
    decision = graph.node("Mul", graph.take(both, [1]), graph.constant(1 / factor))
    return Lowered(probabilities=graph.node("Sigmoid", both), scores=both, decision=decision)


@dataclass
class Sums:
    """Trees that are added up."""

    columns: Sequence[Column]
    trees: Sequence[Tree]
    comparison: Comparison
    targets: int
    base: Sequence[float] | None = None  # the start of the sums

    def tensor(self, context: Context, weights: Array | float = 1.0) -> str:
        """The sums, times the weights."""
        if self.base is not None:
            add_start(self.trees, self.base)
        return exact_ensemble(context, self.columns, self.trees, self.comparison, self.targets, weights)


def add_start(trees: Sequence[Tree], base: Sequence[float], dtype: Any = np.float64) -> None:
    """Adds the start to the leaves of the first tree of each target: libraries add in this order."""
    for target, value in enumerate(base):
        first = next(tree for tree in trees if target in tree.targets)
        column = list(first.targets).index(target)
        first.values = np.array(first.values, dtype=np.float64).reshape(len(first.left), -1)
        first.values[:, column] = dtype(value) + first.values[:, column].astype(dtype)


def gradient_sums(model: Any, columns: Sequence[Column], path: str) -> Sums:
    """Raw predictions of GradientBoosting: the start and the trees, times the learning rate."""
    groups = model.estimators_
    if not (isinstance(model.init_, str) or type(model.init_).__name__ in ("DummyClassifier", "DummyRegressor")):
        raise ExportError(f"{path} starts from init={type(model.init_).__name__}. Fit it with init=None or 'zero'.")
    probe = np.zeros((1, model.n_features_in_), dtype=np.float32)
    start = np.asarray(model._raw_predict_init(probe), dtype=np.float64)[0]
    trees = [
        tree_of(member, member.tree_.value[:, 0, :] * model.learning_rate, (target,))
        for group in groups
        for target, member in enumerate(group)
    ]
    return Sums(columns, trees, Comparison(np.float32, missing=False), groups.shape[1], list(start))


def histogram_sums(context: Context, model: Any, columns: list[Column], path: str) -> Sums:
    preprocessor = model._preprocessor
    if preprocessor is not None:
        # It puts the categories first, as codes, and reads unknown ones as missing.
        chosen = np.flatnonzero(model.is_categorical_)
        others = np.flatnonzero(~np.asarray(model.is_categorical_))
        fitted = preprocessor.named_transformers_["encoder"]
        coded = [columns[index] for index in chosen]
        columns = encoder(fitted, coded, context, path) + [columns[index] for index in others]
    trees = [histogram_tree(predictor, target) for group in model._predictors for target, predictor in enumerate(group)]
    for position in {int(f) for tree in trees for f in tree.feature[sorted(tree.sets)]}:
        if isinstance(columns[position], Number):
            raise ExportError(
                f"{path}: a categorical feature is not a category of the data. Use categorical_features='from_dtype'."
            )
    start = np.asarray(model._baseline_prediction, dtype=np.float64).ravel()
    return Sums(columns, trees, Comparison(np.float64), len(start), list(start))


def histogram_tree(predictor: Any, target: int) -> Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    sets = {}
    for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf):
        sets[int(node)] = codes_of(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
    return Tree(
        left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
        feature=np.where(leaf, 0, nodes["feature_idx"].astype(np.int64)),
        threshold=nodes["num_threshold"],
        values=nodes["value"].reshape(-1, 1),
        targets=(target,),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        sets=sets,
        cover=nodes["count"],
    )


def codes_of(bitset: Array) -> frozenset[float]:
    """The codes in a set of 256 bits."""
    return frozenset(float(32 * word + bit) for word in range(len(bitset)) for bit in range(32) if int(bitset[word]) >> bit & 1)
