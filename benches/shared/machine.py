#!/usr/bin/env python3
"""Describes the measuring machine and the measured versions; prints them as JSON."""

import datetime
import importlib.metadata
import json
import os
import platform
import re
import subprocess
from pathlib import Path

PACKAGES = (
    *("fastapi", "uvicorn", "uvloop", "httptools", "mangum", "awslambdaric"),
    *("redis", "hiredis", "onnxruntime"),
)


def printed(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout


def about(packages=PACKAGES):
    """The machine and the versions, also of these Python packages. Call it before the measurement, because it includes the load average."""
    return {
        "date": datetime.date.today().isoformat(),
        "processor": re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())[1],
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {
            "predict-once": printed("git", "rev-parse", "--short", "HEAD").strip(),
            "rustc": printed("rustc", "--version").split()[1],
            "Python": platform.python_version(),
            **{package: importlib.metadata.version(package) for package in packages},
            "Redis": re.search(r"v=([\d.]+)", printed("redis-server", "--version"))[1],
        },
    }


if __name__ == "__main__":
    print(json.dumps(about()))
