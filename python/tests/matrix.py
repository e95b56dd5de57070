"""Tests each estimator behind each preprocessing against the running service, and writes which combinations work.

    matrix.py TEMPLATE PAGE

The table goes to standard output and replaces {matrix} in TEMPLATE, which is written to PAGE. The exit code is not 0 if a
combination that the training library supports is refused, or answers differently from the library.
"""

import importlib.metadata
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import pandas as pd
from clusters import UNSUPERVISED
from data import numbers
from estimators import ESTIMATORS, OTHERS, PREPARATIONS, Preparation, kinds_of, model_for
from served import assert_served, fitted
from sklearn.base import clone
from transformers import READERS, TRANSFORMERS, behind
from walk import REFUSED, names, served

from predict_once import ExportError

WORKS, NOT_FITTED = "✓", "–"
LIBRARIES = ["scikit-learn", "lightgbm", "xgboost", "catboost", "onnx", "onnxruntime", "pandas", "numpy"]


def tried(name: str, preparation: Preparation, kind: str) -> tuple[str, str]:
    """The result of one combination: its sign in the table, and the message if it does not work."""
    X = preparation.X()
    try:
        model, labels = fitted(model_for(name, preparation), X, kind)
    except ValueError:
        if not X.isna().any(axis=None):
            raise
        return NOT_FITTED, ""  # the library itself does not support missing values
    return outcome(model, X, labels)


def outcome(model: Any, X: pd.DataFrame, labels: Any = None) -> tuple[str, str]:
    """The sign of a fitted model, and the message if it does not work."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            assert_served(model, X, Path(folder), labels)
    except ExportError as error:
        return "refused", str(error)
    except AssertionError as error:
        return "WRONG", str(error)
    return WORKS, ""


class Matrix:
    """The results of all combinations."""

    def __init__(self) -> None:
        self.asked = 0
        self.failures: list[str] = []

    def cell(self, name: str, title: str) -> str:
        """An estimator behind a preprocessing, with two classes and with more."""
        preparation = PREPARATIONS[title]
        if preparation.only and not name.startswith(preparation.only):
            return NOT_FITTED
        signs = []
        for kind in kinds_of(name):
            sign, message = tried(name, preparation, kind)
            signs.append(sign)
            self.asked += sign != NOT_FITTED
            if message:
                self.failures.append(f"{name}, {title}, {kind}: {sign}: {message}")
        return " / ".join(dict.fromkeys(signs))

    def table(self) -> str:
        """All estimators behind all preprocessing. Each row is printed when it is complete."""
        rows = ["| | " + " | ".join(PREPARATIONS) + " |", "|---|" + ":-:|" * len(PREPARATIONS)]
        print(*rows, sep="\n", flush=True)
        for name in ESTIMATORS:
            rows.append(f"| {name} | " + " | ".join(self.cell(name, title) for title in PREPARATIONS) + " |")
            print(rows[-1], flush=True)
        return "\n".join(rows)

    def others(self) -> str:
        """The other estimators, which are tested on numbers only."""
        return ", ".join(name for name in OTHERS if self.cell(name, "numbers") == WORKS)

    def sign(self, what: str, model: Any, X: pd.DataFrame, labels: Any = None) -> str:
        """The sign of a fitted model, which is counted."""
        sign, message = outcome(model, X, labels)
        self.asked += 1
        if message:
            self.failures.append(f"{what}: {sign}: {message}")
        return sign

    def transformers(self) -> str:
        """Each transformer in front of each of three estimators."""
        heads = [f"{type(reader).__name__}" for reader in READERS.values()]
        rows = ["| | " + " | ".join(heads) + " |", "|---|" + ":-:|" * len(heads)]
        for name, entry in TRANSFORMERS.items():
            signs = []
            for kind in READERS:
                if entry.only and kind not in entry.only:
                    signs.append(NOT_FITTED)
                    continue
                X = entry.X()
                model, labels = fitted(behind(name, kind), X, kind)
                signs.append(self.sign(f"{name}, {kind}", model, X, labels))
            rows.append(f"| {name} | " + " | ".join(signs) + " |")
            print(rows[-1], flush=True)
        return "\n".join(rows)

    def unsupervised(self) -> str:
        """Those without a target."""
        X = numbers().drop(columns=["count"])
        works = [name for name, model in UNSUPERVISED.items() if self.sign(name, clone(model).fit(X), X) == WORKS]
        return ", ".join(works)


def walk() -> str:
    """Every estimator of scikit-learn."""
    rows = ["| | |", "|---|---|"]
    groups = {reason: [name for name in names() if REFUSED.get(name) == reason] for reason in dict.fromkeys(REFUSED.values())}
    converted = [name for name in names() if name in served()]
    rows.append(f"| **served** ({len(converted)}) | {', '.join(converted)} |")
    rows += [f"| refused: {reason} | {', '.join(group)} |" for reason, group in groups.items() if group]
    return "\n".join(rows)


def main() -> None:
    template, page = sys.argv[1:]
    warnings.filterwarnings("ignore")
    started = time.monotonic()
    matrix = Matrix()
    values = {"matrix": matrix.table(), "others": matrix.others(), "walk": walk()}
    values |= {"transformers": matrix.transformers(), "unsupervised": matrix.unsupervised(), "asked": str(matrix.asked)}
    values["versions"] = ", ".join(f"{library} {importlib.metadata.version(library)}" for library in LIBRARIES)
    text = Path(template).read_text(encoding="utf-8")
    for marker, value in values.items():
        text = text.replace("{" + marker + "}", value)
    Path(page).write_text(text, encoding="utf-8")
    print(f"{matrix.asked} combinations, of which {len(matrix.failures)} do not work, in {time.monotonic() - started:.0f} s")
    if matrix.failures:
        sys.exit("\n".join(matrix.failures))


if __name__ == "__main__":
    main()
