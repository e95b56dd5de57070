"""The estimators and the preprocessing that the tests combine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from catboost import CatBoostClassifier, CatBoostRegressor
from data import categorical, mixed, numbers
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_transformer
from sklearn.cross_decomposition import CCA, PLSCanonical, PLSRegression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, Matern, RationalQuadratic, WhiteKernel
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    GammaRegressor,
    HuberRegressor,
    Lars,
    LarsCV,
    Lasso,
    LassoCV,
    LassoLars,
    LassoLarsCV,
    LassoLarsIC,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    OrthogonalMatchingPursuit,
    OrthogonalMatchingPursuitCV,
    PassiveAggressiveClassifier,
    PassiveAggressiveRegressor,
    Perceptron,
    PoissonRegressor,
    QuantileRegressor,
    RANSACRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    TheilSenRegressor,
    TweedieRegressor,
)
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestCentroid
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.semi_supervised import LabelPropagation, LabelSpreading, SelfTrainingClassifier
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC, NuSVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor
from xgboost import XGBClassifier, XGBRegressor, XGBRFClassifier, XGBRFRegressor

CLASSIFIERS = {
    "LogisticRegression": LogisticRegression(max_iter=1000),
    "DecisionTreeClassifier": DecisionTreeClassifier(max_depth=6, random_state=0),
    "RandomForestClassifier": RandomForestClassifier(30, random_state=0),
    "ExtraTreesClassifier": ExtraTreesClassifier(30, random_state=0),
    "GradientBoostingClassifier": GradientBoostingClassifier(n_estimators=20, random_state=0),
    "HistGradientBoostingClassifier": HistGradientBoostingClassifier(max_iter=20, random_state=0),
    "AdaBoostClassifier": AdaBoostClassifier(n_estimators=10, random_state=0),
    "BaggingClassifier": BaggingClassifier(n_estimators=5, random_state=0),
    "GaussianNB": GaussianNB(),
    "KNeighborsClassifier": KNeighborsClassifier(),
    "MLPClassifier": MLPClassifier(hidden_layer_sizes=(8,), max_iter=300, random_state=0),
    "SVC": SVC(),
    "SVC, probability=True": SVC(probability=True, random_state=0),
    "VotingClassifier": VotingClassifier(
        [("a", LogisticRegression(max_iter=1000)), ("b", DecisionTreeClassifier(max_depth=3))], voting="soft"
    ),
    "StackingClassifier": StackingClassifier(
        [("a", LogisticRegression(max_iter=1000)), ("b", DecisionTreeClassifier(max_depth=3))]
    ),
    "CalibratedClassifierCV, sigmoid": CalibratedClassifierCV(LogisticRegression(max_iter=1000), cv=3),
    "CalibratedClassifierCV, isotonic": CalibratedClassifierCV(LogisticRegression(max_iter=1000), method="isotonic", cv=3),
    "LGBMClassifier": LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1),
    "XGBClassifier": XGBClassifier(n_estimators=20, n_jobs=1),
    "CatBoostClassifier": CatBoostClassifier(
        iterations=20, verbose=False, allow_writing_files=False, thread_count=1, random_seed=0
    ),
}
REGRESSORS = {
    "LinearRegression": LinearRegression(),
    "Ridge": Ridge(),
    "Lasso": Lasso(alpha=0.01),
    "DecisionTreeRegressor": DecisionTreeRegressor(max_depth=6, random_state=0),
    "RandomForestRegressor": RandomForestRegressor(30, random_state=0),
    "ExtraTreesRegressor": ExtraTreesRegressor(30, random_state=0),
    "GradientBoostingRegressor": GradientBoostingRegressor(n_estimators=20, random_state=0),
    "HistGradientBoostingRegressor": HistGradientBoostingRegressor(max_iter=20, random_state=0),
    "AdaBoostRegressor": AdaBoostRegressor(n_estimators=10, random_state=0),
    "BaggingRegressor": BaggingRegressor(n_estimators=5, random_state=0),
    "KNeighborsRegressor": KNeighborsRegressor(),
    "MLPRegressor": MLPRegressor(hidden_layer_sizes=(8,), max_iter=300, random_state=0),
    "SVR": SVR(),
    "VotingRegressor": VotingRegressor([("a", LinearRegression()), ("b", DecisionTreeRegressor(max_depth=3))]),
    "StackingRegressor": StackingRegressor([("a", LinearRegression()), ("b", DecisionTreeRegressor(max_depth=3))]),
    "LGBMRegressor": LGBMRegressor(n_estimators=20, verbose=-1, n_jobs=1),
    "XGBRegressor": XGBRegressor(n_estimators=20, n_jobs=1),
    "CatBoostRegressor": CatBoostRegressor(
        iterations=20, verbose=False, allow_writing_files=False, thread_count=1, random_seed=0
    ),
}
ESTIMATORS = CLASSIFIERS | REGRESSORS

# The other supported estimators, tested on numbers only.
OTHER_CLASSIFIERS = {
    "LogisticRegressionCV": LogisticRegressionCV(Cs=3, cv=3, max_iter=1000),
    "RidgeClassifier": RidgeClassifier(),
    "RidgeClassifierCV": RidgeClassifierCV(),
    "SGDClassifier, loss='log_loss'": SGDClassifier(loss="log_loss", random_state=0),
    "SGDClassifier, loss='hinge'": SGDClassifier(random_state=0),
    "Perceptron": Perceptron(random_state=0),
    "LinearSVC": LinearSVC(random_state=0),
    "LinearDiscriminantAnalysis": LinearDiscriminantAnalysis(),
    "ExtraTreeClassifier": ExtraTreeClassifier(max_depth=6, random_state=0),
    "NuSVC": NuSVC(),
    "VotingClassifier, voting='hard'": VotingClassifier(
        [("a", LogisticRegression(max_iter=1000)), ("b", DecisionTreeClassifier(max_depth=3)), ("c", GaussianNB())]
    ),
    "DummyClassifier": DummyClassifier(),
    "XGBRFClassifier": XGBRFClassifier(n_estimators=20, n_jobs=1),
    "MultinomialNB": make_pipeline(MinMaxScaler(clip=True), MultinomialNB()),
    "ComplementNB": make_pipeline(MinMaxScaler(clip=True), ComplementNB()),
    "BernoulliNB": BernoulliNB(binarize=0.1),
    "CategoricalNB": make_pipeline(KBinsDiscretizer(4, encode="ordinal", strategy="uniform"), CategoricalNB()),
    "QuadraticDiscriminantAnalysis": QuadraticDiscriminantAnalysis(),
    "NearestCentroid": NearestCentroid(),
    "NearestCentroid, metric='manhattan'": NearestCentroid(metric="manhattan"),
    "PassiveAggressiveClassifier": make_pipeline(StandardScaler(), PassiveAggressiveClassifier(random_state=0)),
    "OneVsRestClassifier": OneVsRestClassifier(LogisticRegression(max_iter=1000)),
    "OneVsRestClassifier, LinearSVC": OneVsRestClassifier(LinearSVC(random_state=0)),
    "OneVsOneClassifier": OneVsOneClassifier(LogisticRegression(max_iter=1000)),
    "OutputCodeClassifier": OutputCodeClassifier(LogisticRegression(max_iter=1000), random_state=0),
    "SelfTrainingClassifier": SelfTrainingClassifier(LogisticRegression(max_iter=1000)),
    "LabelPropagation": make_pipeline(StandardScaler(), LabelPropagation(gamma=0.5)),
    "LabelSpreading": make_pipeline(StandardScaler(), LabelSpreading(gamma=0.5)),
    "FixedThresholdClassifier": FixedThresholdClassifier(LogisticRegression(max_iter=1000), threshold=0.3, pos_label="no"),
    "FixedThresholdClassifier, LinearSVC": FixedThresholdClassifier(LinearSVC(random_state=0), threshold=0.2),
    "TunedThresholdClassifierCV": TunedThresholdClassifierCV(DecisionTreeClassifier(max_depth=4, random_state=0), cv=2),
    "GridSearchCV": GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [2, 4]}, cv=3),
}
OTHER_REGRESSORS = {
    "RidgeCV": RidgeCV(),
    "LassoCV": LassoCV(cv=3),
    "ElasticNet": ElasticNet(alpha=0.01),
    "ElasticNetCV": ElasticNetCV(cv=3),
    "SGDRegressor": SGDRegressor(alpha=0.1, eta0=0.001, random_state=0),
    "LinearSVR": LinearSVR(random_state=0),
    "HuberRegressor": HuberRegressor(max_iter=1000),
    "BayesianRidge": BayesianRidge(),
    "PoissonRegressor": PoissonRegressor(alpha=1),
    "GammaRegressor": GammaRegressor(alpha=1),
    "TweedieRegressor": TweedieRegressor(power=1.5, alpha=1),
    "QuantileRegressor": QuantileRegressor(alpha=0.01),
    "PLSRegression": PLSRegression(),
    "PLSCanonical": PLSCanonical(1),
    "CCA": CCA(1),
    "ARDRegression": ARDRegression(),
    "Lars": Lars(),
    "LarsCV": LarsCV(cv=3),
    "LassoLars": LassoLars(alpha=0.01),
    "LassoLarsCV": LassoLarsCV(cv=3),
    "LassoLarsIC": LassoLarsIC(),
    "OrthogonalMatchingPursuit": OrthogonalMatchingPursuit(),
    "OrthogonalMatchingPursuitCV": OrthogonalMatchingPursuitCV(cv=3),
    "TheilSenRegressor": TheilSenRegressor(random_state=0, max_subpopulation=100),
    "RANSACRegressor": RANSACRegressor(random_state=0),
    "PassiveAggressiveRegressor": PassiveAggressiveRegressor(random_state=0),
    "KernelRidge": KernelRidge(kernel="rbf", gamma=0.1),
    "GaussianProcessRegressor": GaussianProcessRegressor(ConstantKernel() * Matern(nu=1.5) + WhiteKernel(), normalize_y=True),
    "GaussianProcessRegressor, other kernels": GaussianProcessRegressor(
        RationalQuadratic() + DotProduct() ** 2 + RBF(np.ones(5)) + WhiteKernel(), optimizer=None
    ),
    "IsotonicRegression": make_pipeline(
        ColumnTransformer([("one", "passthrough", ["a"])]), IsotonicRegression(out_of_bounds="clip")
    ),
    "TransformedTargetRegressor": TransformedTargetRegressor(LinearRegression(), func=np.log1p, inverse_func=np.expm1),
    "TransformedTargetRegressor, PowerTransformer": TransformedTargetRegressor(
        RandomForestRegressor(5, random_state=0), transformer=PowerTransformer()
    ),
    "ExtraTreeRegressor": ExtraTreeRegressor(max_depth=6, random_state=0),
    "NuSVR": NuSVR(),
    "DummyRegressor": DummyRegressor(),
    "XGBRFRegressor": XGBRFRegressor(n_estimators=20, n_jobs=1),
}
POSITIVE = ("PoissonRegressor", "GammaRegressor", "TweedieRegressor", "TransformedTargetRegressor")
BINARY = ("FixedThresholdClassifier", "FixedThresholdClassifier, LinearSVC", "TunedThresholdClassifierCV")
NUMBERED = ("SelfTrainingClassifier",)  # takes no texts as classes
OTHERS = OTHER_CLASSIFIERS | OTHER_REGRESSORS

TEXTS, NUMBERS = ["city", "type of flat"], ["a", "b b", "größe", "d", "count"]


@dataclass(frozen=True)
class Preparation:
    """Preprocessing in front of the estimator, and the data that it is for."""

    X: Callable[[], pd.DataFrame]
    steps: Any = None  # a transformer; None: the estimator reads the columns unchanged
    only: tuple[str, ...] = ()  # the libraries that read such columns unchanged; empty: all


def imputed() -> Any:
    """Imputes missing numbers and texts."""
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    scaled = make_pipeline(SimpleImputer(), StandardScaler())
    return make_column_transformer((texts, ["city"]), (OneHotEncoder(), ["type of flat"]), (scaled, NUMBERS))


PREPARATIONS = {
    "numbers": Preparation(numbers),
    "missing numbers": Preparation(lambda: numbers(missing=True)),
    "StandardScaler": Preparation(numbers, StandardScaler()),
    "MinMaxScaler": Preparation(numbers, MinMaxScaler()),
    "RobustScaler": Preparation(numbers, RobustScaler()),
    "one-hot, standard, passthrough": Preparation(
        mixed,
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), TEXTS), (StandardScaler(), NUMBERS), ("passthrough", ["new"])
        ),
    ),
    "ordinal, min-max, drop": Preparation(
        mixed, make_column_transformer((OrdinalEncoder(), TEXTS), (MinMaxScaler(), NUMBERS), ("drop", ["new"]))
    ),
    "one-hot less first, robust": Preparation(
        mixed, make_column_transformer((OneHotEncoder(drop="first"), TEXTS), (RobustScaler(), NUMBERS[:3]))
    ),
    "imputed numbers and texts": Preparation(lambda: mixed(missing=True), imputed()),
    "pandas categories": Preparation(categorical, only=("LGBM", "XGB", "HistGradientBoosting")),
}


def model_for(name: str, preparation: Preparation) -> Any:
    """An estimator, behind its preprocessing."""
    estimator = clone((ESTIMATORS | OTHERS)[name])
    if preparation.only:
        options = {"XGB": {"enable_categorical": True}, "Hist": {"categorical_features": "from_dtype"}}
        for prefix, option in options.items():
            if name.startswith(prefix):
                estimator.set_params(**option)
    return estimator if preparation.steps is None else make_pipeline(clone(preparation.steps), estimator)


def kinds_of(name: str) -> list[str]:
    """The targets that an estimator is tested on: see data.target."""
    if name in CLASSIFIERS | OTHER_CLASSIFIERS:
        return ["binary"] if name in BINARY else ["classes"] if name in NUMBERED else ["binary", "classes"]
    return ["positive"] if name in POSITIVE else ["regression"]
