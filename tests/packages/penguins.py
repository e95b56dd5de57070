"""Runs the train.py of docs/your-own-model.md to write tests/packages/penguins: `tests/regenerate penguins`."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(__file__).resolve().parent / "penguins"

page = (ROOT / "docs/your-own-model.md").read_text(encoding="utf-8")
[train] = re.findall(r"^<!-- file: train.py -->\n```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
with tempfile.TemporaryDirectory() as folder:
    (Path(folder) / "train.py").write_text(train, encoding="utf-8")
    subprocess.run([sys.executable, "train.py"], cwd=folder, check=True)
    for file in sorted((Path(folder) / "models/penguins").iterdir()):
        (PACKAGE / file.name).write_bytes(file.read_bytes())
