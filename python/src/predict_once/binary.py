"""Finds the service's binary."""

import os
import shutil
import sysconfig
from pathlib import Path

from .errors import ExportError

VARIABLE = "PREDICT_ONCE_BIN"


def find_binary() -> str:
    """The path of `predict-once`: PREDICT_ONCE_BIN, or the one installed beside this Python, on PATH, or built in this clone.

    Raises `ExportError` if there is none.
    """
    if given := os.environ.get(VARIABLE):
        if found := shutil.which(given):
            return found
        raise ExportError(f"{VARIABLE} is {given!r}, which is not an executable file.")
    beside = sysconfig.get_path("scripts")
    if found := shutil.which("predict-once", path=beside) or shutil.which("predict-once"):
        return found
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        for profile in ("release", "distribution"):
            if found := shutil.which(str(folder / "target" / profile / "predict-once")):
                return found
    raise ExportError(
        "the service's binary, predict-once, is not installed. Install a release's wheel, which contains it; or run "
        f"`cargo build --release` in the repository, and set {VARIABLE} to the path of target/release/predict-once."
    )
