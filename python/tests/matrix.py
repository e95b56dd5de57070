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

os.environ["OMP_NUM_THREADS"] = "1"

from estimators import ESTIMATORS, OTHERS, PREPARATIONS, Preparation, kinds_of, model_for
from served import assert_served, fitted

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
        names = [name for name in OTHERS if self.cell(name, "numbers") == WORKS]
        return ", ".join(names)


def main() -> None:
    template, page = sys.argv[1:]
    warnings.filterwarnings("ignore")
    started = time.monotonic()
    matrix = Matrix()
    values = {"matrix": matrix.table(), "others": matrix.others(), "asked": str(matrix.asked)}
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
