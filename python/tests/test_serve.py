"""`serve` and `python -m predict_once`: from a fitted model to its API in one call."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

import predict_once

SOURCE = Path(__file__).resolve().parents[1] / "src"


@pytest.fixture
def iris() -> tuple[RandomForestClassifier, pd.DataFrame]:
    data = load_iris(as_frame=True)
    X = data.data.rename(columns=lambda name: name.removesuffix(" (cm)").replace(" ", "_"))
    return RandomForestClassifier(n_estimators=5, random_state=0).fit(X, data.target_names[data.target]), X


def test_a_fitted_model_is_served_until_its_block_ends(iris: tuple[RandomForestClassifier, pd.DataFrame]) -> None:
    model, X = iris
    row = X.iloc[140].to_dict()
    with predict_once.serve(model, X, target="species") as server:
        assert server.ask("/species", row) == {"species": model.predict(X.iloc[[140]])[0]}
        assert server.ask("/species", [row, row]) == [{"species": "virginica"}] * 2
        assert server.ask("/species", row | {"petal_width": "wide"})["errors"][0]["pointer"] == "#/petal_width"
        assert str(server).startswith(f"Serving {server.url}/docs\n")
        assert 'POST /species {"' in str(server) and '{"species": "' in str(server)
        assert f'<a href="{server.page}"' in server._repr_html_()
        with urllib.request.urlopen(server.page) as page:
            assert page.status == 200
        assert "listening on" in server.log
    with pytest.raises(urllib.error.URLError):
        server.ask("/species", row)


def test_a_package_is_served_with_settings_and_ends_with_its_variable(
    iris: tuple[RandomForestClassifier, pd.DataFrame], tmp_path: Path
) -> None:
    predict_once.export(*iris, tmp_path / "iris", target="species")
    server = predict_once.serve(tmp_path / "iris", settings={"BASE_PATH": "/flowers"})
    assert list(server.ask("/flowers/species", iris[1].iloc[0].to_dict())) == ["species"]
    process = server._process
    del server
    assert process.poll() is not None
    assert (tmp_path / "iris/model.toml").exists()


@pytest.mark.parametrize(
    ("setting", "value", "instead"),
    [("PORT", "8080", "Pass port="), ("MODEL_DIR", "models", "first argument"), ("MODEL_URI", "s3://a/b", "first argument")],
)
def test_a_setting_that_follows_from_an_argument_is_refused_by_name(
    setting: str, value: str, instead: str, iris: tuple[RandomForestClassifier, pd.DataFrame]
) -> None:
    with pytest.raises(predict_once.ExportError, match=f"{setting} is not one of them here.*{instead}"):
        predict_once.serve(*iris, settings={setting: value})


def test_a_service_that_does_not_start_says_why(iris: tuple[RandomForestClassifier, pd.DataFrame]) -> None:
    with pytest.raises(predict_once.ExportError, match=r"did not start: .*CACHE_LAYOUT must be"):
        predict_once.serve(*iris, settings={"CACHE_LAYOUT": "table"})


def test_a_missing_binary_is_named_before_anything_is_exported(
    iris: tuple[RandomForestClassifier, pd.DataFrame], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PREDICT_ONCE_BIN", str(tmp_path / "nothing"))
    with pytest.raises(predict_once.ExportError, match=r"PREDICT_ONCE_BIN is '.*nothing', which is not an executable file"):
        predict_once.serve(*iris)
    monkeypatch.delenv("PREDICT_ONCE_BIN")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(predict_once.ExportError, match=r"is not installed.*cargo build --release"):
        predict_once.serve(*iris)


def test_python_m_predict_once_runs_the_binary() -> None:
    command = [sys.executable, "-m", "predict_once", "--version"]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("predict-once ")
    missing = os.environ | {"PYTHONPATH": str(SOURCE), "PREDICT_ONCE_BIN": "/nothing"}
    failed = subprocess.run(command, env=missing, capture_output=True, text=True, check=False)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "Error: PREDICT_ONCE_BIN is '/nothing', which is not an executable file.\n"
