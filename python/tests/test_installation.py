"""The package as pip installs it: typed, complete, and with a documented `export`."""

import inspect
import pydoc
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import predict_once

PROJECT = Path(__file__).resolve().parents[1]


def test_the_wheel_has_every_module_and_is_typed(tmp_path: Path) -> None:
    # Copied, since setuptools builds in the source directory.
    shutil.copytree(PROJECT, tmp_path / "python", ignore=shutil.ignore_patterns("tests", "*.egg-info", "build", "__pycache__"))
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([*pip, "--wheel-dir", tmp_path, tmp_path / "python"], check=True)
    [wheel] = tmp_path.glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("predict_once/")}
    source = PROJECT / "src"
    wanted = {str(file.relative_to(source)) for file in (source / "predict_once").rglob("*") if file.suffix in (".py", ".typed")}
    assert "predict_once/py.typed" in inside
    assert inside == wanted


def test_calls_of_export_are_type_checked(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import predict_once\n"
        "report = predict_once.export(object(), None, 'folder', target='species', bounds={'age': (18, None)})\n"
        "reveal_type(report.largest_difference)\n"
        "predict_once.export(object(), None, 'folder', target=3)\n"
    )
    mypy = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", tmp_path / "cache", program]
    done = subprocess.run(mypy, capture_output=True, text=True, check=False, cwd=tmp_path, env={"MYPYPATH": str(PROJECT / "src")})
    assert 'Revealed type is "float"' in done.stdout or 'Revealed type is "builtins.float"' in done.stdout, done.stdout
    assert 'program.py:4: error: Argument "target"' in done.stdout
    assert done.stdout.count("error:") == 1, done.stdout


def test_the_help_names_every_argument() -> None:
    shown = pydoc.plain(pydoc.render_doc(predict_once.export))
    documented = inspect.getdoc(predict_once.export) or ""
    for argument in predict_once.export.__annotations__:
        assert argument == "return" or f"`{argument}" in documented, argument
    assert max(map(len, documented.splitlines())) <= 100
    assert "Write a model package" in shown
