"""Compares a few learners by repeated stratified cross-validation, and chooses one by the figures."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDS = 5
REPEATS = 10
CALIBRATED_SLOPES = (0.8, 1.2)

EXPORTABLE = "logistic regression, C = 0.1"
BASE_RATE = "base rate (no features)"


def logistic_regression(c: float) -> Pipeline:
    """Solved to a tight tolerance, so that the digits that are kept do not depend on the machine."""
    return scaled_age(LogisticRegression(C=c, solver="newton-cholesky", tol=1e-10, max_iter=1000))


def scaled_age(classifier: ClassifierMixin) -> Pipeline:
    """The classifier behind a standardised age (the first feature). The ones and zeros stay unchanged."""
    scaler = ColumnTransformer([("age", StandardScaler(), [0])], remainder="passthrough")
    return make_pipeline(scaler, classifier)


CANDIDATES = {
    EXPORTABLE: logistic_regression(0.1),
    "logistic regression, C = 1": logistic_regression(1.0),
    "boosted stumps": GradientBoostingClassifier(max_depth=1, n_estimators=100, learning_rate=0.1, random_state=0),
    "gradient boosting, defaults": GradientBoostingClassifier(random_state=0),
    "random forest, defaults": RandomForestClassifier(random_state=0),
    "MLP, 16 hidden units": scaled_age(MLPClassifier((16,), alpha=1.0, max_iter=300, tol=1e-3, random_state=0)),
    BASE_RATE: DummyClassifier(strategy="prior"),
}


@dataclass(frozen=True)
class Evaluation:
    """Means over the test folds; the calibration is of each repeat's 1,000 out-of-fold predictions, averaged."""

    auc: float
    brier: float
    log_loss: float
    slope: float
    intercept: float
    out_of_fold: np.ndarray  # P(bad), shape (REPEATS, applications)

    @property
    def is_calibrated(self) -> bool:
        lowest, highest = CALIBRATED_SLOPES
        return lowest <= self.slope <= highest


def evaluate(candidate: ClassifierMixin, inputs: np.ndarray, went_bad: np.ndarray) -> Evaluation:
    """Cross-validates one candidate. Every candidate sees the same folds."""
    out_of_fold = np.empty((REPEATS, len(went_bad)))
    scores = []
    for repeat in range(REPEATS):
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=repeat)
        for train, test in folds.split(inputs, went_bad):
            predicted = clone(candidate).fit(inputs[train], went_bad[train]).predict_proba(inputs[test])[:, 1]
            out_of_fold[repeat, test] = predicted
            scores.append(
                (
                    roc_auc_score(went_bad[test], predicted),
                    brier_score_loss(went_bad[test], predicted),
                    log_loss(went_bad[test], predicted),
                )
            )
    calibrations = [calibration(predicted, went_bad) for predicted in out_of_fold]
    return Evaluation(*np.mean(scores, axis=0), *np.mean(calibrations, axis=0), out_of_fold)


def calibration(predicted: np.ndarray, went_bad: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the outcome's log-odds on the predicted ones: 1 and 0 if the predictions are calibrated.

    A slope below 1 means that the predictions are too extreme. They are clipped, since a forest can predict exactly 0
    or 1.
    """
    clipped = np.clip(predicted, 1e-3, 1 - 1e-3)
    log_odds = np.log(clipped / (1 - clipped))
    if np.ptp(log_odds) < 1e-9:  # a constant prediction has no slope
        return float("nan"), float("nan")
    fit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(log_odds.reshape(-1, 1), went_bad)
    return float(fit.coef_[0, 0]), float(fit.intercept_[0])


def evaluate_all(inputs: np.ndarray, went_bad: np.ndarray) -> dict[str, Evaluation]:
    return {name: evaluate(candidate, inputs, went_bad) for name, candidate in CANDIDATES.items()}


def choose(evaluations: dict[str, Evaluation]) -> str:
    """The candidate with the lowest log loss among those that are calibrated."""
    calibrated = {name: evaluation for name, evaluation in evaluations.items() if evaluation.is_calibrated}
    return min(calibrated, key=lambda name: calibrated[name].log_loss)
