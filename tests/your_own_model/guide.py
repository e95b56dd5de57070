"""Performs docs/your-own-model.md: takes its files and commands from the page and does what they say in an empty folder. What the
page says is printed must be printed, by the real service.

The page's environment is the one in the folder that is given; its `pip install` is not repeated here.
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402
from processes import binary, service  # noqa: E402

checks = Checks()


def blocks():
    """The page's marked blocks, in order: what the comment above the block says, and the text in it."""
    text = (ROOT / "docs/your-own-model.md").read_text()
    return re.findall(r"^<!-- ([^\n]+) -->\n```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def printed(output, expected):
    """The first of the page's lines that the output does not have, in this order, or None. An `…` stands for anything."""
    found = iter(line.strip() for line in output.splitlines())

    def matches(line, wanted):
        return re.fullmatch(".*".join(map(re.escape, wanted.strip().split("…"))), line) is not None

    return next((wanted for wanted in expected.splitlines() if not any(matches(line, wanted) for line in found)), None)


def perform(folder, programs, stack):
    """Goes through the page from top to bottom."""
    output, address = "", ""
    env = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    (folder / "bin").mkdir()
    (folder / "bin/predict-once").symlink_to(Path(binary()).resolve())
    (folder / ".venv").symlink_to(programs.parent)
    for what, text in blocks():
        verb, _, name = what.partition(": ")
        if verb == "file":
            (folder / name).write_text(text)
        elif verb in ("runs", "asks"):
            script = text.replace("http://127.0.0.1:8080", address) if verb == "asks" else text
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
            output = done.stdout
            checks.check(f"it runs: {text.splitlines()[0]}", done.returncode == 0, output)
        elif verb == "serves":
            checks.equal("the page starts what is started here", text, f"MODEL_DIR={name} predict-once\n")
            port, _ = stack.enter_context(service(binary(), MODEL_DIR=str(folder / name)))
            address = f"http://127.0.0.1:{port}"
        elif verb == "prints":
            missing = printed(output, text)
            checks.check(f"it prints {text.splitlines()[0]}", missing is None, f"no {missing!r} in\n{output}")
        else:
            checks.check(f"<!-- {what} --> is known", False)


with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
    with checks.part("the page is performed"):
        perform(Path(folder), Path(sys.argv[1]), stack)
sys.exit(checks.finish())
