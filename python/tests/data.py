"""Typical data frames: numbers, texts, booleans, missing values, names with spaces and accents."""

import numpy as np
import pandas as pd

ROWS = 240


def numbers(missing: bool = False) -> pd.DataFrame:
    """Five columns of numbers, one of them whole."""
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(ROWS, 4)), columns=["a", "b b", "größe", "d"])
    X["count"] = random.integers(0, 20, ROWS)
    if missing:
        X.loc[random.random(ROWS) < 0.15, "a"] = np.nan
        X.loc[random.random(ROWS) < 0.15, "d"] = np.nan
    return X


def mixed(missing: bool = False) -> pd.DataFrame:
    """Numbers, two columns of texts and a boolean."""
    random = np.random.default_rng(1)
    X = numbers(missing)
    X["city"] = random.choice(["Kraków", "Łódź", "Gdańsk"], ROWS)
    X["type of flat"] = random.choice(["a/b", "c: d"], ROWS)
    X["new"] = random.random(ROWS) < 0.5
    if missing:
        X["city"] = X["city"].astype(object).where(random.random(ROWS) > 0.2, np.nan)
    return X


def categorical() -> pd.DataFrame:
    """Numbers and pandas categories."""
    X = mixed().drop(columns=["new"])
    return X.astype({"city": "category", "type of flat": "category"})


def score(X: pd.DataFrame) -> np.ndarray:
    """The number that the targets are derived from."""
    random = np.random.default_rng(2)
    total = X["b b"] + X["größe"] * X["d"].fillna(0) + 0.1 * X["count"] + X["a"].fillna(1) ** 2
    if "city" in X:
        total = total + (X["city"].astype(object) == "Łódź") * 1.5
    return np.asarray(total + random.normal(size=len(X)) * 0.1)


def target(X: pd.DataFrame, kind: str) -> np.ndarray:
    """Two classes, three classes, a number, or a positive number."""
    total = score(X)
    if kind == "regression":
        return total
    if kind == "positive":
        return np.exp(total / 3)
    if kind == "binary":
        return np.where(total > np.median(total), "yes", "no")
    return np.digitize(total, np.quantile(total, [0.33, 0.66])) * 10
