#!/usr/bin/env python3
"""Times `cargo run --release` in an empty clone of the last commit until the service listens: `make bench-first-build`.

Dependencies are fetched first, so only compilation is timed, with one job per core.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("tests/support", "benches/shared")]
from machine import about
from processes import ROOT, environment, process, until

RESULT = Path(__file__).with_suffix(".json")


def main():
    machine = about()
    variables = environment(PORT="0") | {name: os.environ[name] for name in os.environ if name in ("CARGO_HOME", "RUSTUP_HOME")}
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        subprocess.run(["cargo", "fetch", "--quiet", "--locked"], cwd=clone, env=variables, check=True)
        started = time.monotonic()
        with process(["cargo", "run", "--release"], cwd=clone, env=variables) as (child, log):
            until(lambda: "listening on http://" in log.read_text(), "the service listens", 3600, of=child)
            seconds = time.monotonic() - started
    RESULT.write_text(json.dumps({"about": machine, "seconds": round(seconds, 1)}, indent=1) + "\n")
    print(f"{seconds:.0f} s from an empty clone to a listening service")


if __name__ == "__main__":
    main()
