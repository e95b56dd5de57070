"""The nearest of some points: NearestCentroid, and the clusters that have centres."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..class_names import class_names
from ..columns.dense import linear, matrix
from ..columns.kernels import squared_distances
from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from ..graph import Array
from .quadratic import discriminant
from .registry import Lowered

FAR = "The distances of a row far from all centres differ by less than their rounding."


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    graph = context.graph
    names = class_names(model)
    if "sklearn.NearestCentroid" in names:
        return nearest_centroid(context, model, matrix(context, columns), path)
    if "sklearn.BisectingKMeans" in names:
        return bisected(context, model, columns)
    if "sklearn.Birch" in names:
        context.cautions[FAR] = None
        labels = np.asarray(model.subcluster_labels_).tolist()
        known = sorted(set(labels))
        nearest = graph.node("ArgMax", nearness(context, columns, model.subcluster_centers_), axis=1, keepdims=0)
        table = np.equal.outer(labels, known).astype(np.float64)
        return Lowered(scores=graph.node("Gather", graph.constant(table), nearest, axis=0), labels=known)
    return Lowered(scores=nearness(context, columns, model.cluster_centers_), labels=range(len(model.cluster_centers_)))


def nearness(context: Context, columns: Sequence[Column], points: Any) -> str:
    """Larger for nearer points, `[N, points]`: half the squared distance, without what all points have in common."""
    centres = np.asarray(points, dtype=np.float64)
    return linear(context, columns, centres.T, -0.5 * (centres**2).sum(axis=1))


def bisected(context: Context, model: Any, columns: Sequence[Column]) -> Lowered:
    """Clusters that were divided in two again and again: at each division, the nearer half."""
    graph = context.graph
    mean = getattr(model, "_X_mean", 0.0)
    leaves: dict[int, str] = {}
    waiting = [(model._bisecting_tree, "")]
    while waiting:
        node, inside = waiting.pop()
        if node.left is None:
            leaves[int(node.label)] = inside
            continue
        scores = nearness(context, columns, np.vstack([node.left.center, node.right.center]) + mean)
        right = graph.index(scores)
        for child, chosen in ((node.left, graph.node("Sub", graph.constant(1.0), right)), (node.right, right)):
            waiting.append((child, graph.node("Mul", inside, chosen) if inside else chosen))
    return Lowered(scores=graph.concat([leaves[label] for label in sorted(leaves)]), labels=sorted(leaves))


def nearest_centroid(context: Context, model: Any, features: str, path: str) -> Lowered:
    graph = context.graph
    context.cautions[FAR] = None
    size = len(model.classes_)
    if not hasattr(model, "class_prior_"):  # before scikit-learn 1.6
        return Lowered(scores=graph.node("Neg", distances(context, features, np.asarray(model.centroids_), model.metric, path)))
    spread = np.where(model.within_class_std_dev_ == 0, 1.0, model.within_class_std_dev_)
    scaled = graph.node("Div", features, graph.constant([spread]))
    squares = distances(context, scaled, model.centroids_ / spread, model.metric, path)
    if model.metric != "euclidean":
        squares = graph.node("Mul", squares, squares)
    prior = 2.0 * np.log(model.class_prior_)
    scores = graph.node("Sub", graph.constant([prior]), squares)
    lowered = discriminant(context, scores, size)
    if not hasattr(model, "predict_proba"):
        lowered = Lowered(scores=scores)
    if not np.isclose(model.class_prior_, 1 / size).all():
        return lowered
    # Of equally frequent classes, it takes the nearest centroid without scaling.
    plain = distances(context, features, np.asarray(model.centroids_), model.metric, path)
    nearest = graph.node("Neg", plain)
    index = None if lowered.probabilities is None else graph.index(nearest)
    return Lowered(probabilities=lowered.probabilities, scores=nearest, decision=lowered.decision, index=index)


def distances(context: Context, features: str, rows: Array, metric: str, path: str) -> str:
    """The distances, `[N, rows]`; squared for the Euclidean metric."""
    graph = context.graph
    if metric == "euclidean":
        return squared_distances(context, features, rows)
    if metric != "manhattan":
        raise ExportError(f"{path} has the metric {metric!r}. Fit with 'euclidean' or 'manhattan'.")
    wide = graph.node("Unsqueeze", features, graph.constant([1], np.int64))
    return graph.sum(graph.node("Abs", graph.node("Sub", wide, graph.constant(rows[np.newaxis]))), axis=2, keepdims=0)
