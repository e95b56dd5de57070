"""Boosters of the libraries' own interfaces, with the methods of an estimator."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .graph import Array
from .types import Scalar


def as_estimator(model: Any, labels: Sequence[Scalar] | None) -> Any:
    """The model with the methods of an estimator. Estimators stay as they are."""
    library, kind = type(model).__module__.split(".")[0], type(model).__name__
    if (library, kind) == ("xgboost", "Booster"):
        return with_classes(XgboostBooster(model), labels)
    if (library, kind) == ("lightgbm", "Booster"):
        return with_classes(LightgbmBooster(model), labels)
    if (library, kind) == ("catboost", "CatBoost"):
        return of_catboost(model)
    return model


class Booster:
    """A booster that answers with what its objective makes of its sums."""

    def __init__(self, booster: Any) -> None:
        self.booster = booster

    def output(self, data: Any) -> Array:
        """The library's own answer."""
        raise NotImplementedError

    def predict(self, data: Any) -> Array:
        return self.output(data)


class XgboostBooster(Booster):
    """A booster of XGBoost."""

    def __init__(self, booster: Any) -> None:
        super().__init__(booster)
        self.n_features_in_ = booster.num_features()
        if booster.feature_names:
            self.feature_names_in_ = list(booster.feature_names)

    def get_booster(self) -> Any:
        return self.booster

    def output(self, data: Any) -> Array:
        import xgboost

        named = isinstance(data, pd.DataFrame)
        if named and not self.booster.feature_names:
            data = data.to_numpy()
        categorical = "c" in (self.booster.feature_types or ())
        return np.asarray(self.booster.predict(xgboost.DMatrix(data, enable_categorical=categorical)))

    @property
    def objective(self) -> str:
        import json

        return str(json.loads(self.booster.save_config())["learner"]["objective"]["name"])

    @property
    def classes(self) -> int:
        """The number of classes; 1 for a share of the second of two, 0 for a number."""
        import json

        param = json.loads(self.booster.save_config())["learner"]["learner_model_param"]
        several = {"multi:softprob", "multi:softmax"}
        return int(param["num_class"]) if self.objective in several else int(self.objective == "binary:logistic")


class LightgbmBooster(Booster):
    """A booster of LightGBM."""

    def __init__(self, booster: Any) -> None:
        super().__init__(booster)
        self.booster_ = booster
        self.n_features_in_ = booster.num_feature()
        if not all(name == f"Column_{index}" for index, name in enumerate(booster.feature_name())):
            self.feature_names_in_ = booster.feature_name()

    def output(self, data: Any) -> Array:
        return np.asarray(self.booster.predict(data))

    @property
    def classes(self) -> int:
        """The number of classes; 1 for a share of the second of two, 0 for a number."""
        objective = str(self.booster.dump_model(num_iteration=1).get("objective", "")).split(" ")[0]
        if objective in ("multiclass", "multiclassova"):
            return int(self.booster.num_model_per_iteration())
        return int(objective == "binary")


def with_classes(booster: Any, labels: Sequence[Scalar] | None) -> Any:
    """A booster that is asked for classes: of several, or of two with names. One of two alone answers with the second's share."""
    count = booster.classes
    if count > 1:
        return Classes(booster, count)
    if count == 1:
        return Classes(booster, 2) if labels is not None else Share(booster)
    return booster


class Wrapped:
    """What the conversion reads of a booster."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["inner"], name)


class Share(Wrapped):
    """A booster of two classes, which answers with the probability of the second."""

    is_share = True

    def predict(self, data: Any) -> Array:
        return np.asarray(self.inner.output(data))


class Classes(Wrapped):
    """A booster as a classifier, whose classes are numbered."""

    def __init__(self, inner: Any, count: int) -> None:
        super().__init__(inner)
        self.classes_ = np.arange(count)

    def predict_proba(self, data: Any) -> Array:
        output = self.inner.output(data)
        if output.ndim == 1 and len(self.classes_) == 2:
            return np.stack([1 - output, output], axis=1)
        return np.asarray(output)

    def predict(self, data: Any) -> Array:
        output = self.inner.output(data)
        if output.ndim == 2:
            return np.asarray(output.argmax(axis=1))
        return np.asarray(output > 0.5 if len(self.classes_) == 2 else output).astype(int)


def of_catboost(model: Any) -> Any:
    """A model of CatBoost's general class as a classifier or a regressor."""
    import catboost

    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "model.cbm")
        model.save_model(file)
        classifies = len(getattr(model, "classes_", ())) > 0
        kind = catboost.CatBoostClassifier if classifies else catboost.CatBoostRegressor
        return kind().load_model(file)
