"""Models that were saved: an MLflow directory, and a skops file. The files of boosters are in test_boosters.py."""

import json
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from conftest import plain, serve
from data import numbers, target
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBRegressor

import predict_once

X = numbers()


def mlflow(folder: Path, flavor: str, example: pd.DataFrame | None = None) -> Path:
    """A directory as MLflow writes it."""
    folder.mkdir()
    text = f"""artifact_path: model
flavors:
  python_function:
    env:
      conda: conda.yaml
    loader_module: mlflow.any
    python_version: 3.12.1
{flavor}
mlflow_version: 3.1.0
signature:
  inputs: '[{{"type": "double", "name": "a", "required": true}}]'
"""
    if example is not None:
        text += "saved_input_example_info:\n  artifact_path: input_example.json\n  pandas_orient: split\n  type: dataframe\n"
        table = {"columns": list(example.columns), "data": example.to_numpy().tolist()}
        (folder / "input_example.json").write_text(json.dumps(table))
    (folder / "MLmodel").write_text(text)
    return folder


def test_an_mlflow_model_of_scikit_learn_is_served_with_its_input_example_as_x(tmp_path: Path) -> None:
    flavor = (
        "  sklearn:\n    code: null\n    pickled_model: model.pkl\n    serialization_format: pickle\n    sklearn_version: 1.9.1"
    )
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, target(X, "binary"))
    folder = mlflow(tmp_path / "model", flavor, X.head(5))
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    report = predict_once.export(folder, directory=tmp_path / "package", target="outcome")
    assert [field["name"] for field in report.fields] == list(X.columns)
    with serve(tmp_path / "package") as client:
        answers = [client.ask("outcome", row) for row in X.head(20).to_dict("records")]
    assert answers == [plain(label) for label in model.predict(X.head(20))]


def test_an_mlflow_model_of_xgboost_is_served_as_it_predicts(tmp_path: Path) -> None:
    flavor = (
        "  xgboost:\n    code: null\n    data: model.ubj\n    model_class: xgboost.sklearn.XGBRegressor\n    xgb_version: 3.2.0"
    )
    model = XGBRegressor(n_estimators=5, n_jobs=1).fit(X, target(X, "regression"))
    folder = mlflow(tmp_path / "model", flavor)
    model.save_model(folder / "model.ubj")
    predict_once.export(str(folder), X, tmp_path / "package", target="outcome")
    with serve(tmp_path / "package") as client:
        answers = [client.ask("outcome", row) for row in X.head(20).to_dict("records")]
    assert answers == pytest.approx(model.predict(X.head(20)).tolist(), rel=1e-5)


def test_a_directory_that_holds_no_such_model_is_refused_by_name(tmp_path: Path) -> None:
    folder = mlflow(tmp_path / "model", "  tensorflow:\n    data: model.keras")
    with pytest.raises(predict_once.ExportError, match="flavors python_function, tensorflow"):
        predict_once.export(folder, X, tmp_path / "package", target="outcome")
    (folder / "MLmodel").unlink()
    with pytest.raises(predict_once.ExportError, match="no file MLmodel"):
        predict_once.export(folder, X, tmp_path / "package", target="outcome")


def skops(model: Any, unknown: list[str]) -> dict[str, ModuleType]:
    """skops, as far as the exporter calls it."""
    package, module = ModuleType("skops"), ModuleType("skops.io")
    module.get_untrusted_types = lambda file: unknown  # type: ignore[attr-defined]
    module.load = lambda file, trusted: model  # type: ignore[attr-defined]
    return {"skops": package, "skops.io": module}


def test_a_skops_file_is_loaded_if_skops_trusts_all_of_its_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = LogisticRegression().fit(X, target(X, "binary"))
    file = tmp_path / "model.skops"
    file.write_bytes(b"zip")
    for name, module in skops(model, []).items():
        monkeypatch.setitem(sys.modules, name, module)
    assert predict_once.export(file, X, tmp_path / "package", target="outcome").endpoints[0] == "/outcome"
    for name, module in skops(model, ["my.Step"]).items():
        monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(predict_once.ExportError, match=r"does not trust: my\.Step"):
        predict_once.export(file, X, tmp_path / "other", target="outcome")
