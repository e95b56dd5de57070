"""Finds the lowering of an estimator."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..class_names import class_names
from ..columns.preprocessing import preprocess
from ..columns.sparsity import makes_sparse
from ..columns.symbols import AnyColumn, Column
from ..columns.variables import usable
from ..context import Context
from ..errors import ExportError


@dataclass(frozen=True)
class Lowered:
    """The tensors of an estimator's predictions. What has classes has at least one of `probabilities` and `scores`.

    They are float64, or all float32 where `wide` is False: XGBoost calculates in float32.
    """

    value: str | None = None  # of a regressor: [N, count]
    count: int = 1  # how many targets a regressor has
    probabilities: str | None = None  # [N, classes]
    scores: str | None = None  # [N, classes]: the first maximum is the class
    decision: str | None = None  # as `decision_function`, with [N, 1] for two classes
    index: str | None = None  # [N, 1]: the class's position, where it is not the first maximum of `probabilities`
    score: str | None = None  # as `score_samples`, [N, 1]
    labels: Sequence[Any] | None = None  # the classes, where the estimator has no `classes_`
    members: Sequence["Lowered"] = ()  # of a classifier with several targets: one for each, with its `labels`
    wide: bool = True

    @property
    def classes(self) -> str:
        """A tensor whose first maximum is the class."""
        tensor = self.scores or self.probabilities
        if tensor is None:
            raise AssertionError("not a classifier")
        return tensor


Lowering = Callable[[Context, Any, Sequence[Column], str], Lowered]

MODULES = {
    "linear": "LogisticRegression LogisticRegressionCV LinearRegression Ridge RidgeCV Lasso LassoCV ElasticNet ElasticNetCV "
    "RidgeClassifier RidgeClassifierCV SGDClassifier SGDRegressor LinearSVC LinearSVR Perceptron PassiveAggressiveClassifier "
    "PassiveAggressiveRegressor HuberRegressor BayesianRidge ARDRegression PoissonRegressor GammaRegressor TweedieRegressor "
    "QuantileRegressor LinearDiscriminantAnalysis PLSRegression PLSCanonical CCA Lars LarsCV LassoLars LassoLarsCV LassoLarsIC "
    "OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV TheilSenRegressor MultiTaskLasso MultiTaskLassoCV "
    "MultiTaskElasticNet MultiTaskElasticNetCV",
    "forests": "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor RandomForestClassifier "
    "RandomForestRegressor ExtraTreesClassifier ExtraTreesRegressor",
    "boosting": "GradientBoostingClassifier GradientBoostingRegressor HistGradientBoostingClassifier "
    "HistGradientBoostingRegressor",
    "adaboost": "AdaBoostClassifier AdaBoostRegressor",
    "averages": "BaggingClassifier BaggingRegressor VotingClassifier VotingRegressor",
    "stacking": "StackingClassifier StackingRegressor",
    "calibration": "CalibratedClassifierCV",
    "thresholds": "FixedThresholdClassifier TunedThresholdClassifierCV",
    "targets": "TransformedTargetRegressor",
    "multiclass": "OneVsRestClassifier OneVsOneClassifier OutputCodeClassifier",
    "multioutput": "MultiOutputClassifier MultiOutputRegressor ClassifierChain RegressorChain",
    "fitted": "RANSACRegressor SelfTrainingClassifier",
    "bayes": "GaussianNB MultinomialNB ComplementNB BernoulliNB CategoricalNB",
    "quadratic": "QuadraticDiscriminantAnalysis",
    "neighbours": "KNeighborsClassifier KNeighborsRegressor",
    "centroids": "NearestCentroid KMeans MiniBatchKMeans BisectingKMeans MeanShift AffinityPropagation Birch",
    "kernel_models": "KernelRidge LabelPropagation LabelSpreading",
    "gaussian_process": "GaussianProcessRegressor",
    "isotonic_regression": "IsotonicRegression",
    "mixtures": "GaussianMixture BayesianGaussianMixture",
    "isolation": "IsolationForest",
    "outliers": "OneClassSVM SGDOneClassSVM LocalOutlierFactor EllipticEnvelope",
    "svm": "SVC NuSVC SVR NuSVR",
    "mlp": "MLPClassifier MLPRegressor",
    "dummy": "DummyClassifier DummyRegressor",
}
OF_MEMBERS = ("averages", "stacking", "calibration", "thresholds", "targets", "multiclass", "multioutput", "fitted")
KNOWN = {f"sklearn.{name}": module for module, names in MODULES.items() for name in names.split()} | {
    "lightgbm.LGBMClassifier": "lightgbm",
    "lightgbm.LGBMRegressor": "lightgbm",
    "xgboost.XGBClassifier": "xgboost",
    "xgboost.XGBRegressor": "xgboost",
    "xgboost.XGBRFClassifier": "xgboost",
    "xgboost.XGBRFRegressor": "xgboost",
    "xgboost.XGBRanker": "xgboost",
    "lightgbm.LGBMRanker": "lightgbm",
    "predict_once.XgboostBooster": "xgboost",
    "predict_once.LightgbmBooster": "lightgbm",
    "catboost.CatBoostRanker": "catboost",
    "catboost.CatBoostClassifier": "catboost",
    "catboost.CatBoostRegressor": "catboost",
}


def lower_member(context: Context, model: Any, columns: Sequence[AnyColumn], path: str) -> Lowered:
    """The operators of a part of another estimator, which calculates with its predictions: all in float64."""
    lowered = lower(context, model, columns, path)
    if lowered.wide:
        return lowered

    def double(tensor: str | None) -> str | None:
        return None if tensor is None else context.graph.double(tensor)

    return replace(
        lowered,
        value=double(lowered.value),
        probabilities=double(lowered.probabilities),
        scores=double(lowered.scores),
        decision=double(lowered.decision),
        wide=True,
    )


def lower(context: Context, model: Any, columns: Sequence[AnyColumn], path: str) -> Lowered:
    """The operators of a fitted estimator. `path` names it in messages."""
    names = class_names(model)
    if "sklearn.Pipeline" in names:
        symbols, outer = list(columns), context.sparse
        for name, step in model.steps[:-1]:
            if samples(step):
                continue
            symbols = preprocess(step, symbols, context, step_path(path, name))
            context.sparse = makes_sparse(step, context.sparse)
        result = lower(context, model.steps[-1][1], symbols, step_path(path, model.steps[-1][0]))
        context.sparse = outer
        return result
    if "sklearn.BaseSearchCV" in names:
        if not hasattr(model, "best_estimator_"):
            raise ExportError(f"{path} has no best_estimator_: fit it with refit=True.")
        return lower(context, model.best_estimator_, columns, path)
    if "sklearn.FrozenEstimator" in names:
        return lower(context, model.estimator, columns, path)
    for name in names:
        if name in KNOWN:
            module = importlib.import_module(f".{KNOWN[name]}", __package__)
            lowering: Lowering = module.lower
            named = f"{path} ({type(model).__name__})"
            # The members of these may be pipelines, which leave columns out or read them as texts.
            read: Any = columns if KNOWN[name] in OF_MEMBERS else usable(columns, context.variables, named)
            context.read_by(named, columns)
            context.lowered.append(KNOWN[name])
            return lowering(context, model, read, path)
    raise ExportError(
        f"{path} is a {type(model).__module__.split('.')[0]} {type(model).__name__}, which cannot be exported. {remedy(names)}"
    )


def samples(step: Any) -> bool:
    """Whether a step of an imbalanced-learn pipeline only chooses the rows to fit on: it does nothing at prediction."""
    return hasattr(step, "fit_resample") and not hasattr(step, "transform")


def remedy(names: list[str]) -> str:
    return (
        "Supported are scikit-learn's common estimators, LightGBM, XGBoost and CatBoost (docs/exporter-matrix.md lists them). "
        "For others, write the ONNX graph yourself and pass it to export with fields= and predictions=."
    )


def step_path(path: str, name: str) -> str:
    """The path of a step within a Pipeline."""
    return f"step {name!r}" if path == "the model" else f"{path} → {name!r}"
