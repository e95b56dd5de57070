"""Writes tests/packages/colours: the image classifier of docs/your-own-model.md.

tests/regenerate colours
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from page import blocks  # noqa: E402

files = {what.removeprefix("file: "): text for what, text in blocks("docs/your-own-model.md") if what.startswith("file: ")}
(HERE / "colours").mkdir(exist_ok=True)
with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.executable, "-c", files["colours.py"]], cwd=folder, env=os.environ, check=True)
    shutil.copy(Path(folder) / "models/colours/model.onnx", HERE / "colours")
(HERE / "colours/model.toml").write_text(files["models/colours/model.toml"])
