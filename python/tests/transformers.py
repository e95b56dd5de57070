"""The transformers that the tests put in front of an estimator, with the data that they are for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from data import mixed, numbers
from sklearn.base import clone
from sklearn.cluster import Birch, BisectingKMeans, FeatureAgglomeration, KMeans, MiniBatchKMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import (
    PCA,
    FactorAnalysis,
    FastICA,
    IncrementalPCA,
    KernelPCA,
    MiniBatchSparsePCA,
    SparsePCA,
    TruncatedSVD,
)
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.kernel_approximation import Nystroem, RBFSampler, SkewedChi2Sampler
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import NeighborhoodComponentsAnalysis
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    Normalizer,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection


def positive() -> pd.DataFrame:
    """Numbers above 0, one of them whole."""
    X = numbers()
    return X.abs().add(0.25).assign(count=X["count"] + 1)


@dataclass(frozen=True)
class Transformer:
    """A transformer, and the data that it is for."""

    step: Any
    X: Callable[[], pd.DataFrame] = numbers
    only: tuple[str, ...] = ()  # the kinds of targets; empty: all


def missing_numbers() -> pd.DataFrame:
    return numbers(missing=True)


def scaled(step: Any) -> Any:
    return make_pipeline(StandardScaler(), step)


ENCODED = make_column_transformer((TargetEncoder(), ["city", "type of flat"]), remainder="passthrough")
TRANSFORMERS = {
    "FunctionTransformer, log1p": Transformer(FunctionTransformer(np.log1p), positive),
    "FunctionTransformer, log": Transformer(FunctionTransformer(np.log), positive),
    "FunctionTransformer, sqrt": Transformer(FunctionTransformer(np.sqrt), positive),
    "FunctionTransformer, square": Transformer(FunctionTransformer(np.square)),
    "FunctionTransformer, abs": Transformer(FunctionTransformer(np.abs)),
    "PowerTransformer": Transformer(PowerTransformer()),
    "PowerTransformer, box-cox": Transformer(PowerTransformer("box-cox"), positive),
    "QuantileTransformer": Transformer(QuantileTransformer(n_quantiles=50)),
    "QuantileTransformer, normal": Transformer(QuantileTransformer(n_quantiles=50, output_distribution="normal")),
    "KBinsDiscretizer": Transformer(KBinsDiscretizer(4, encode="onehot-dense", quantile_method="averaged_inverted_cdf")),
    "KBinsDiscretizer, ordinal": Transformer(KBinsDiscretizer(4, encode="ordinal", strategy="uniform")),
    "Binarizer": Transformer(Binarizer(threshold=0.2)),
    "Normalizer": Transformer(Normalizer()),
    "PolynomialFeatures": Transformer(PolynomialFeatures(2)),
    "PolynomialFeatures, degree=3": Transformer(PolynomialFeatures(3, include_bias=False, interaction_only=True)),
    "SplineTransformer": Transformer(SplineTransformer()),
    "SplineTransformer, linear": Transformer(SplineTransformer(extrapolation="linear", include_bias=False)),
    "SplineTransformer, periodic": Transformer(SplineTransformer(extrapolation="periodic")),
    "SplineTransformer, error": Transformer(SplineTransformer(extrapolation="error")),
    "KNNImputer": Transformer(KNNImputer(add_indicator=True), missing_numbers),
    "KNNImputer, distance": Transformer(KNNImputer(weights="distance"), missing_numbers),
    "IterativeImputer": Transformer(IterativeImputer(random_state=0), missing_numbers),
    "PCA": Transformer(scaled(PCA(3))),
    "PCA, whiten": Transformer(scaled(PCA(3, whiten=True))),
    "IncrementalPCA": Transformer(scaled(IncrementalPCA(2))),
    "TruncatedSVD": Transformer(TruncatedSVD(2)),
    "FastICA": Transformer(scaled(FastICA(3, random_state=0))),
    "FactorAnalysis": Transformer(scaled(FactorAnalysis(2))),
    "SparsePCA": Transformer(scaled(SparsePCA(2, random_state=0))),
    "MiniBatchSparsePCA": Transformer(scaled(MiniBatchSparsePCA(2, random_state=0))),
    "KernelPCA": Transformer(scaled(KernelPCA(3, kernel="rbf"))),
    "GaussianRandomProjection": Transformer(GaussianRandomProjection(3, random_state=0)),
    "SparseRandomProjection": Transformer(SparseRandomProjection(3, random_state=0)),
    "FeatureAgglomeration": Transformer(FeatureAgglomeration(2)),
    "RBFSampler": Transformer(scaled(RBFSampler(n_components=20, random_state=0))),
    "Nystroem": Transformer(scaled(Nystroem(n_components=20, random_state=0))),
    "SkewedChi2Sampler": Transformer(SkewedChi2Sampler(n_components=10, random_state=0), positive),
    "BernoulliRBM": Transformer(scaled(BernoulliRBM(4, n_iter=2, random_state=0))),
    "KMeans": Transformer(KMeans(3, n_init=1, random_state=0)),
    "MiniBatchKMeans": Transformer(MiniBatchKMeans(3, n_init=1, random_state=0)),
    "BisectingKMeans": Transformer(BisectingKMeans(3, random_state=0)),
    "Birch": Transformer(Birch(threshold=2)),
    "NeighborhoodComponentsAnalysis": Transformer(NeighborhoodComponentsAnalysis(2, random_state=0), only=("binary", "classes")),
    "LinearDiscriminantAnalysis": Transformer(LinearDiscriminantAnalysis(), only=("binary", "classes")),
    "TargetEncoder": Transformer(ENCODED, mixed),
}
READERS = {
    "regression": Ridge(),
    "classes": LogisticRegression(max_iter=1000),
    "binary": RandomForestClassifier(10, random_state=0),
}


def behind(name: str, kind: str) -> Any:
    """An estimator of a kind of target behind a transformer."""
    return make_pipeline(clone(TRANSFORMERS[name].step), clone(READERS[kind]))
