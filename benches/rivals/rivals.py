#!/usr/bin/env python3
"""Compares the local server with other servers under load: `make bench-server`. `benches/page` presents the results.

All contestants run at once and get load in turns, so that other load on the machine affects all of them. Fails if an answer differs from
the model's, or if a request was not answered from the cache.
"""

import argparse
import contextlib
import itertools
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / folder) for folder in ("benches/shared", "tests/support")]
import contestants
from contestants import CORES, PATHS
from load import load
from machine import about
from processes import ROOT, redis, until
from tqdm import tqdm

RESULTS = Path(__file__).with_name("results.json")
CONNECTIONS = (1, 4, 16)


def golden():
    lines = (ROOT / "models/credit_risk/golden.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [row["input"] for row in rows], {name: [row["answers"][name] for row in rows] for name in PATHS}


def same(answer, expected):
    return answer == expected if isinstance(expected, str) else abs(answer - expected) < 1e-6


def check(contestant, applications, expected):
    """Checks every prediction of every input, which also fills the cache, and waits until all of them are hits."""
    for prediction in contestant.predictions:
        answers = contestant.answers(applications, prediction)
        if not all(map(same, answers, expected[prediction])):
            raise SystemExit(f"{contestant.name}: {prediction} differs from the model's")
    until(lambda: contestant.hits(applications), f"{contestant.name}: all answers are hits")


def start(stack, arguments, application):
    """Starts all contestants; the first one is the floor, which makes no predictions."""
    store = stack.enter_context(redis())
    yield stack.enter_context(contestants.bare(arguments.bare, contestants.BARE))
    yield stack.enter_context(contestants.predict_once(arguments.service, contestants.MEMORY))
    yield stack.enter_context(contestants.predict_once(arguments.service, contestants.MEMORY_CORES, WORKERS=str(CORES)))
    yield stack.enter_context(contestants.predict_once(arguments.service, contestants.LOGGING, LOG_LEVEL="info"))
    yield stack.enter_context(contestants.predict_once(arguments.service, contestants.REDIS, store))
    if packages := contestants.install("install-triton"):
        yield stack.enter_context(contestants.triton(packages, contestants.TRITON, application))
    if programs := contestants.install("python-tool", "mlserver", "-r", "benches/rivals/mlserver-requirements.txt"):
        yield stack.enter_context(contestants.mlserver(programs, contestants.MLSERVER))
    for name, module, database, *options in (
        (contestants.LESSON, "fastapi_lesson", 1),
        (contestants.ASYNC, "fastapi_async", 2, "--loop", "uvloop", "--http", "httptools"),
        (contestants.ASYNC_CORES, "fastapi_async", 3, "--loop", "uvloop", "--http", "httptools", "--workers", str(CORES)),
    ):
        yield stack.enter_context(contestants.fastapi(module, name, store, database, *options))


def measure(arguments):
    applications, expected = golden()
    machine = about()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        floor, *others = start(stack, arguments, applications[0])
        for contestant in others:
            check(contestant, applications, expected)
        everyone = [floor, *others]
        bodies = {contestant.name: folder / contestant.name for contestant in everyone}
        for contestant in everyone:
            lines = "".join(f"{contestant.body(application)}\n" for application in applications)
            bodies[contestant.name].write_text(lines)
        runs = {contestant.name: {str(connections): [] for connections in CONNECTIONS} for contestant in everyone}
        plan = list(itertools.product(CONNECTIONS, everyone))
        for connections, contestant in tqdm(plan, "warming up", unit="run"):
            load(contestant, bodies[contestant.name], connections, 1)
        for connections, contestant in tqdm(plan * arguments.rounds, "measuring", unit="run"):
            run = load(contestant, bodies[contestant.name], connections, arguments.seconds)
            runs[contestant.name][str(connections)].append(run)
        for contestant in others:
            if not contestant.hits(applications):
                raise SystemExit(f"{contestant.name}: some answers are not hits at the end")
        machine["versions"] |= {each.name: each.version() for each in others if isinstance(each, contestants.Triton)}
    printed = subprocess.run(["wrk", "--version"], capture_output=True, text=True).stdout
    machine["versions"]["wrk"] = re.search(r"wrk (?:debian/)?([\d.]+)", printed)[1]
    return {
        "about": machine,
        "seconds": arguments.seconds,
        "rounds": arguments.rounds,
        "inputs": len(applications),
        "runs": runs,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--service", required=True, help="the service binary")
    parser.add_argument("--bare", required=True, help="benches/floors/bare_server.rs, built with the same profile")
    parser.add_argument("--seconds", type=int, default=3, help="duration of each run")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    # A line for each server and number of connections, so that a diff shows what was measured anew.
    text = re.sub(r"\n {4,}", " ", json.dumps(measure(arguments), indent=1))
    RESULTS.write_text(re.sub(r"\n {3}(?=[]}])", " ", text) + "\n")


if __name__ == "__main__":
    main()
