"""Transformers that are a matrix product, or a kernel and a matrix product."""

from typing import Any

import numpy as np

from ..class_names import class_names
from ..context import Context
from ..errors import ExportError
from ..graph import Array
from .dense import linear, matrix
from .kernels import kernel, squared_distances
from .symbols import Column
from .tensors import features_of, projected, widened
from .transformers import refuse_texts


def transform(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    refuse_texts(columns, context.variables, path)
    name = next(name for name in class_names(step) if name.removeprefix("sklearn.") in PROJECTIONS).removeprefix("sklearn.")
    return PROJECTIONS[name](step, widened(columns), context, path)


def dense(array: Any) -> Array:
    return np.asarray(array.toarray() if hasattr(array, "toarray") else array, dtype=np.float64)


def centred(step: Any, columns: list[Column], context: Context, weights: Array) -> list[Column]:
    """`(features - mean) @ weights`."""
    return projected(context, columns, weights, -dense(step.mean_) @ weights)


def pca(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    weights = dense(step.components_).T
    if step.whiten:
        deviation = np.sqrt(step.explained_variance_)
        weights = weights / np.maximum(deviation, np.finfo(deviation.dtype).eps)
    return centred(step, columns, context, weights)


def components(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    return projected(context, columns, dense(step.components_).T)


def fast_ica(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    weights = dense(step.components_).T
    return centred(step, columns, context, weights) if step.whiten else projected(context, columns, weights)


def factor_analysis(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    scaled = step.components_ / step.noise_variance_
    covariance = np.linalg.inv(np.eye(len(step.components_)) + scaled @ step.components_.T)
    return centred(step, columns, context, scaled.T @ covariance)


def sparse_pca(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    parts = dense(step.components_)
    gram = parts @ parts.T + step.ridge_alpha * np.eye(len(parts))
    return centred(step, columns, context, np.linalg.solve(gram, parts).T)


def discriminants(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    weights = dense(step.scalings_)[:, : step._max_components]
    bias = -dense(step.xbar_) @ weights if step.solver == "svd" else 0.0
    return projected(context, columns, weights, bias)


def agglomeration(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    if step.pooling_func is not np.mean:
        raise ExportError(f"{path} pools with a function other than numpy.mean, which cannot be exported.")
    groups = np.equal.outer(step.labels_, np.unique(step.labels_)).astype(np.float64)
    return projected(context, columns, groups / groups.sum(axis=0))


def random_fourier(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    graph = context.graph
    context.cautions["The cosine of a large number depends on its last digits."] = None
    angles = linear(context, columns, dense(step.random_weights_), dense(step.random_offset_))
    factor = float(np.sqrt(2 / step.n_components))
    return features_of(graph.node("Mul", graph.node("Cos", angles), graph.constant(factor)), step.n_components)


def nystroem(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    rows = dense(step.components_)
    gamma = 1 / rows.shape[1] if step.gamma is None else float(step.gamma)
    degree, constant = (3 if step.degree is None else step.degree), (1.0 if step.coef0 is None else float(step.coef0))
    values = kernel(context, matrix(context, columns), rows, step.kernel, gamma, constant, degree, path)
    product = context.graph.node("MatMul", values, context.graph.constant(dense(step.normalization_).T))
    return features_of(product, step.normalization_.shape[0])


def kernel_pca(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    graph = context.graph
    rows = dense(step.X_fit_)
    values = kernel(
        context, matrix(context, columns), rows, step.kernel, float(step.gamma_), float(step.coef0), step.degree, path
    )
    centre = step._centerer
    own = graph.node("Mul", graph.sum(values), graph.constant(1 / len(rows)))
    values = graph.node("Sub", values, graph.constant([centre.K_fit_rows_]))
    values = graph.node("Add", graph.node("Sub", values, own), graph.constant(float(centre.K_fit_all_)))
    positive = np.flatnonzero(step.eigenvalues_)
    scaled = np.zeros_like(step.eigenvectors_)
    scaled[:, positive] = step.eigenvectors_[:, positive] / np.sqrt(step.eigenvalues_[positive])
    return features_of(graph.node("MatMul", values, graph.constant(scaled)), scaled.shape[1])


def skewed_chi2(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    graph = context.graph
    context.cautions["The cosine of a large number depends on its last digits."] = None
    logarithm = graph.node("Log", graph.node("Add", matrix(context, columns), graph.constant(float(step.skewedness))))
    angles = graph.node("MatMul", logarithm, graph.constant(dense(step.random_weights_)))
    angles = graph.node("Add", angles, graph.constant(dense(step.random_offset_).reshape(1, -1)))
    factor = float(np.sqrt(2.0) / np.sqrt(step.n_components))
    return features_of(graph.node("Mul", graph.node("Cos", angles), graph.constant(factor)), step.n_components)


def hidden_units(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    weights = dense(step.components_).T
    sums = linear(context, columns, weights, dense(step.intercept_hidden_))
    return features_of(context.graph.node("Sigmoid", sums), weights.shape[1])


def distances(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    """The distances from the centres of clusters."""
    centres = dense(step.subcluster_centers_ if hasattr(step, "subcluster_centers_") else step.cluster_centers_)
    # The library subtracts squares, so its distance from a point close by is no more exact than this.
    largest = float(np.sqrt((centres**2).sum(axis=1).max()))
    context.rounding = max(context.rounding, 4 * largest * float(np.sqrt(np.finfo(np.float64).eps)))
    squares = squared_distances(context, matrix(context, columns), centres)
    return features_of(context.graph.node("Sqrt", squares), len(centres))


PROJECTIONS = {
    "PCA": pca,
    "IncrementalPCA": pca,
    "TruncatedSVD": components,
    "FastICA": fast_ica,
    "FactorAnalysis": factor_analysis,
    "SparsePCA": sparse_pca,
    "MiniBatchSparsePCA": sparse_pca,
    "GaussianRandomProjection": components,
    "SparseRandomProjection": components,
    "NeighborhoodComponentsAnalysis": components,
    "LinearDiscriminantAnalysis": discriminants,
    "FeatureAgglomeration": agglomeration,
    "RBFSampler": random_fourier,
    "SkewedChi2Sampler": skewed_chi2,
    "BernoulliRBM": hidden_units,
    "KMeans": distances,
    "MiniBatchKMeans": distances,
    "BisectingKMeans": distances,
    "Birch": distances,
    "Nystroem": nystroem,
    "KernelPCA": kernel_pca,
}
