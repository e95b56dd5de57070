"""The estimators with several targets that the tests fit."""

from sklearn.linear_model import (
    LogisticRegression,
    MultiTaskElasticNet,
    MultiTaskElasticNetCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    Ridge,
)
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain

SEVERAL = [
    MultiTaskLasso(0.01),
    MultiTaskLassoCV(cv=3),
    MultiTaskElasticNet(0.01),
    MultiTaskElasticNetCV(cv=3),
    MultiOutputRegressor(Ridge()),
    RegressorChain(Ridge()),
    MultiOutputClassifier(LogisticRegression()),
    ClassifierChain(LogisticRegression()),
]
