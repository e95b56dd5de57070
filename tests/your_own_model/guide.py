"""Runs the commands of docs/your-own-model.md in an empty folder, with the real service. `run` starts this.

The argument is the `bin` folder of a virtual environment, which replaces the page's `pip install`.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from checks import Checks  # noqa: E402
from page import Page  # noqa: E402
from processes import binary  # noqa: E402

checks = Checks()
with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
    with checks.part("the commands of the page run"):
        folder, program = Path(name), Path(binary()).resolve()
        (folder / "bin").mkdir()
        (folder / "bin/predict-once").symlink_to(program)
        (folder / ".venv").symlink_to(Path(sys.argv[1]).parent)
        path = f"{folder / 'bin'}:{os.environ['PATH']}"
        Page(checks, "docs/your-own-model.md", folder, program, path, stack).perform()
sys.exit(checks.finish())
