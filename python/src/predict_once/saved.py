"""Models that were saved: files of boosters, skops files and MLflow's directories."""

import importlib
import json
import pickle
from pathlib import Path
from typing import Any

import pandas as pd

from .errors import ExportError

XGBOOST_FILES, LIGHTGBM_FILES, CATBOOST_FILES, SKOPS_FILES = (".json", ".ubj"), (".txt",), (".cbm",), (".skops",)
FILES = (*XGBOOST_FILES, *LIGHTGBM_FILES, *CATBOOST_FILES, *SKOPS_FILES)
"""The endings of the files that XGBoost, LightGBM, CatBoost and skops write."""
MLFLOW = "MLmodel"
"""The file that makes a directory an MLflow model."""


def is_saved(model: Any) -> bool:
    """Whether it is the path of a saved model, rather than of an ONNX graph."""
    if not isinstance(model, (str, Path)):
        return False
    return Path(model).suffix in FILES or Path(model).is_dir()


def load(path: Path) -> Any:
    """The model in a file or a directory."""
    if not path.exists():
        raise ExportError(f"model: the file {path} does not exist.")
    try:
        return from_mlflow(path) if path.is_dir() else from_file(path)
    except ImportError as error:
        raise ExportError(f"model: {path} needs {error.name}, which is not installed.") from error
    except ExportError:
        raise
    except Exception as error:  # a library's own, such as XGBoostError
        raise ExportError(f"model: {path} cannot be read: {str(error).splitlines()[0]}") from error


def from_file(path: Path, suffix: str = "") -> Any:
    """The model in a file, whose kind its ending tells."""
    suffix = suffix or path.suffix
    if suffix in XGBOOST_FILES:
        import xgboost

        booster = xgboost.Booster()
        booster.load_model(path)
        return booster
    if suffix in LIGHTGBM_FILES:
        import lightgbm

        return lightgbm.Booster(model_file=str(path))
    if suffix in CATBOOST_FILES:
        import catboost

        model = catboost.CatBoost()
        model.load_model(str(path))
        return model
    from skops.io import get_untrusted_types, load

    unknown = get_untrusted_types(file=path)
    if unknown:
        raise ExportError(
            f"model: {path} holds types that skops does not trust: {', '.join(unknown)}. Load it with skops.io.load, and "
            "pass the model itself."
        )
    return load(path, trusted=[])


def from_mlflow(path: Path) -> Any:
    """The model in an MLflow directory: of scikit-learn, LightGBM, XGBoost or CatBoost."""
    flavors = described(path).get("flavors", {})
    for name, flavor in flavors.items():
        if name == "sklearn":
            return unpickled(path / flavor["pickled_model"], flavor.get("serialization_format", "pickle"))
        if name in ("lightgbm", "xgboost", "catboost") and "data" in flavor:
            file, kind = path / flavor["data"], flavor.get("model_class", flavor.get("model_type", ""))
            if file.suffix == ".pkl":
                return unpickled(file, "cloudpickle")
            if name == "xgboost" and not kind.endswith("Booster"):
                module, _, of = kind.rpartition(".")
                estimator = getattr(importlib.import_module(module), of)()
                estimator.load_model(str(file))
                return estimator
            return from_file(file, {"lightgbm": ".txt", "xgboost": ".ubj", "catboost": ".cbm"}[name])
    raise ExportError(
        f"model: {path} has the MLflow flavors {', '.join(flavors) or 'none'}. Those of scikit-learn, LightGBM, XGBoost and "
        "CatBoost can be exported; of onnx, pass the file model.onnx with fields= and predictions=."
    )


def unpickled(file: Path, how: str) -> Any:
    """The object in a pickle."""
    with file.open("rb") as stream:
        return importlib.import_module("cloudpickle").load(stream) if how == "cloudpickle" else pickle.load(stream)


def described(path: Path) -> dict[str, Any]:
    """The tables of the file MLmodel: its nested keys with their texts. (It is YAML without what this does not read.)"""
    file = path / MLFLOW
    if not file.exists():
        raise ExportError(f"model: the directory {path} has no file {MLFLOW}, so it is no MLflow model.")
    root: dict[str, Any] = {}
    open_tables = [(-1, root)]
    for line in file.read_text(encoding="utf-8").splitlines():
        key, colon, value = line.strip().partition(":")
        depth = len(line) - len(line.lstrip())
        if not colon or key.startswith(("-", "#")):
            continue
        while open_tables[-1][0] >= depth:
            open_tables.pop()
        table = open_tables[-1][1]
        text = value.strip()
        if text in ("", "null"):
            table[key] = {}
            open_tables.append((depth, table[key]))
        else:
            table[key] = text.strip("'\"")
    return root


def example(path: Path) -> pd.DataFrame | None:
    """The input example of an MLflow model, in place of `X`; None if it has none."""
    info = described(path).get("saved_input_example_info", {})
    file = path / info.get("artifact_path", "input_example.json")
    if not file.exists():
        return None
    content = json.loads(file.read_text(encoding="utf-8"))
    table = content.get("dataframe_split", content) if isinstance(content, dict) else {}
    return pd.DataFrame(table["data"], columns=table["columns"]) if {"data", "columns"} <= set(table) else None
