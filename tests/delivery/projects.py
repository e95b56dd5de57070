"""The two packages of the exporter agree: pyproject.toml, with the binary, and python/pyproject.toml, without it."""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402

checks = Checks()
published, exporter = (tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"] for folder in (".", "python"))
for key in ("name", "version", "requires-python", "dependencies"):
    checks.equal(f"both have the same {key}", published[key], exporter[key])
sys.exit(checks.finish())
