"""Every estimator of scikit-learn: served, or refused for a reason. `run --matrix` writes this into docs/exporter-matrix.md."""

import warnings

import sklearn.experimental.enable_halving_search_cv
import sklearn.experimental.enable_iterative_imputer  # noqa: F401
from sklearn.utils import all_estimators

from predict_once.columns.transformers import HANDLERS, MODULES
from predict_once.lowering.registry import KNOWN

CONTAINERS = (
    "Pipeline",
    "ColumnTransformer",
    "FeatureUnion",
    "FrozenEstimator",
    "GridSearchCV",
    "RandomizedSearchCV",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
)
SELECTIONS = (
    "GenericUnivariateSelect",
    "RFE",
    "RFECV",
    "SelectFdr",
    "SelectFpr",
    "SelectFromModel",
    "SelectFwe",
    "SelectKBest",
    "SelectPercentile",
    "SequentialFeatureSelector",
    "VarianceThreshold",
)
NO_PREDICTION = "describes the rows that it was fitted on, and predicts nothing for others"
OPTIMISES = "solves an optimisation problem for each row"
OF_TARGETS = "transforms the target, not the columns"
REASONS = {
    NO_PREDICTION: "AgglomerativeClustering DBSCAN HDBSCAN OPTICS SpectralClustering SpectralBiclustering SpectralCoclustering "
    "EmpiricalCovariance GraphicalLasso GraphicalLassoCV LedoitWolf MinCovDet OAS ShrunkCovariance MDS ClassicalMDS TSNE "
    "SpectralEmbedding NearestNeighbors KernelDensity",
    OPTIMISES: "DictionaryLearning MiniBatchDictionaryLearning SparseCoder NMF MiniBatchNMF LatentDirichletAllocation "
    "LocallyLinearEmbedding Isomap",
    OF_TARGETS: "LabelBinarizer LabelEncoder MultiLabelBinarizer",
    "has no answer where no training row is within the radius": "RadiusNeighborsClassifier RadiusNeighborsRegressor "
    "RadiusNeighborsTransformer",
    "its probabilities are an integral over the error function, which graphs in float64 do not have": "GaussianProcessClassifier",
    "makes a sparse graph of neighbours": "KNeighborsTransformer",
    "reads dictionaries or images, which are no columns": "DictVectorizer FeatureHasher PatchExtractor",
    "reads a kernel instead of columns": "KernelCenterer",
    "cannot be a step of a Pipeline": "PLSSVD",
    "is not converted": "AdditiveChi2Sampler PolynomialCountSketch RandomTreesEmbedding",
}
TEXTS = {"CountVectorizer", "HashingVectorizer", "TfidfVectorizer", "TfidfTransformer"}
"""Served on a column of texts: test_text_pipelines.py, test_text_columns.py."""
REFUSED = {name: reason for reason, names in REASONS.items() for name in names.split()}


def names() -> list[str]:
    """The names of all estimators."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [name for name, _ in all_estimators()]


def served() -> set[str]:
    """The names of those that the exporter converts."""
    converted = {name.removeprefix("sklearn.") for name in (*KNOWN, *MODULES, *HANDLERS) if name.startswith("sklearn.")}
    return converted | set(CONTAINERS) | set(SELECTIONS) | TEXTS
