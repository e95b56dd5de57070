"""Generates load on a contestant and measures the CPU time of its processes."""

import json
import os
import subprocess
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid):
    """User and kernel CPU time of a process and its descendants, from /proc/PID/stat."""
    spent, children = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), []).append(int(folder.name))
        spent[int(folder.name)] = int(fields[11]) / TICK, int(fields[12]) / TICK
    tree = [pid]
    for parent in tree:
        tree += children.get(parent, [])
    return [sum(times) for times in zip(*(spent[process] for process in tree), strict=True)]


def load(contestant, bodies, connections, seconds):
    """Runs wrk, which posts the lines of the file `bodies`. Fails unless the cache answered every request."""
    before, spent = contestant.counts(), processor_seconds(contestant.pid)
    url = f"http://127.0.0.1:{contestant.port}{contestant.path('decision')}"
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    command += ["--script", str(Path(__file__).with_name("load.lua")), url, "--", str(bodies)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    own, kernel = (after - earlier for after, earlier in zip(processor_seconds(contestant.pid), spent, strict=True))
    run = json.loads(printed.splitlines()[-1])
    if run["errors"] or not run["requests"]:
        raise SystemExit(f"{contestant.name}: {run['requests']} requests, {run['errors']} errors\n{printed}")
    if before:
        hits, misses = (after - earlier for after, earlier in zip(contestant.counts(), before, strict=True))
        if misses or hits < 0.9 * run["requests"]:
            raise SystemExit(f"{contestant.name}: {hits} hits, {misses} misses in {run['requests']} requests")
    return {
        "rate": run["requests"] / run["microseconds"] * 1e6,
        "processor": (own + kernel) / run["requests"] * 1e6,
        "kernel": kernel / run["requests"] * 1e6,
        "latency": run["latency"],
    }
