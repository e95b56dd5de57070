#!/usr/bin/env python3
"""Measures misses and hits of models that take milliseconds, beside FastAPI with ONNX Runtime: `make bench-heavy`.

heavy.py BINARY TEMPLATE PAGE PLOT

All contestants of a model run at once and get load in turns, so that other load on the machine affects all of them. Fails if an answer
differs from FastAPI's, or if a hit was none.
"""

import argparse
import base64
import contextlib
import io
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("benches/shared", "benches/rivals", "tests/support")]
import contestants
import models
import numpy as np
from load import load, processor_seconds
from machine import about
from PIL import Image
from plot_gain import gain
from processes import environment, free_port, redis, until
from tqdm import tqdm

MEMORY, REDIS, FASTAPI = "predict-once, memory", "predict-once, Redis", "FastAPI, Redis"
WORDS = """
    the of and a to in is you that it he was for on are as with his they at be this have from or one had by word but not what all were we
    when your can said there use an each which she do how their if will up other about out many then them these so some her would make like
    him into time has look two more write go see number no way could people my than first water been call who oil its now find long down
    day did get come made may part
""".split()
CONNECTIONS = (1, 16)


def text(words, draw):
    return {"text": " ".join(draw.choices(WORDS, k=words))}


def picture(draw):
    """A JPEG of 640 × 480 pixels: soft colours with some noise, as a photograph has."""
    noise = np.random.default_rng(draw.randrange(1 << 30))
    small = Image.fromarray(noise.integers(0, 255, (12, 16, 3), np.uint8), "RGB").resize((640, 480), Image.Resampling.BICUBIC)
    pixels = np.clip(np.asarray(small, np.int16) + noise.normal(0, 6, (480, 640, 3)).astype(np.int16), 0, 255)
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8), "RGB").save(file, "JPEG", quality=85)
    return {"image": base64.b64encode(file.getvalue()).decode()}


def window(draw):
    return {"window": [[round(draw.gauss(0, 1), 3) for _ in range(models.CHANNELS)] for _ in range(models.STEPS)]}


# Name, package, path, input.
CASES = [
    ("MiniLM, 20 words", "minilm", "/embedding", lambda draw: text(20, draw)),
    ("MiniLM, 200 words", "minilm", "/embedding", lambda draw: text(200, draw)),
    ("ResNet-18, a JPEG of 640 × 480", "resnet", "/top", picture),
    ("LSTM, 300 steps", "lstm", "/probability", window),
]


class OfModel:
    """A contestant of rivals.py that answers at this path."""

    def __init__(self, contestant, path):
        self.of, self.at = contestant, path
        self.name, self.pid, self.port = contestant.name, contestant.pid, contestant.port

    def path(self, _prediction):
        return self.at

    def counts(self):
        return self.of.counts()

    def ask(self, bodies):
        return self.of.fetch(("POST", self.at, body) for body in bodies)


@contextlib.contextmanager
def fastapi(name, store, package):
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "fastapi_heavy:app", "--port", str(port), "--no-access-log"]
    command += ["--loop", "uvloop", "--http", "httptools"]
    variables = environment(REDIS_URL=store.url, MODEL_DIR=str(package), PYTHONPATH=str(Path(__file__).parent))
    with contestants.listening(command, port, variables, seconds=60) as child:
        yield contestants.WithRedis(name, child.pid, port, store)


def numbers(answer):
    """The numbers in an answer, and the names of classes."""
    match answer:
        case dict():
            return [number for value in answer.values() for number in numbers(value)]
        case list():
            return [number for value in answer for number in numbers(value)]
    return [answer]


def same(one, other):
    pairs = list(zip(numbers(one), numbers(other), strict=True))
    return all(a == b if isinstance(a, str) else abs(a - b) < 2e-3 for a, b in pairs)


def memory(pid):
    """The resident memory of a process now and at its peak, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return [int(status.split(f"{name}:")[1].split()[0]) / 1000 for name in ("VmRSS", "VmHWM")]


def misses(contestant, bodies):
    """The answers, the latencies in milliseconds, and the processor's milliseconds per request."""
    answers, latencies, spent = [], [], sum(processor_seconds(contestant.pid))
    asked = contestant.ask(bodies)
    for _ in bodies:
        start = time.perf_counter()
        answer, _headers = next(asked)
        latencies.append(1000 * (time.perf_counter() - start))
        answers.append(answer)
    return answers, latencies, 1000 * (sum(processor_seconds(contestant.pid)) - spent) / len(bodies)


def percentile(latency, wanted):
    return next(value for percent, value in latency if percent >= wanted) / 1000


def measure_case(binary, package, path, make, options):
    """For each contestant: its latencies in milliseconds, its requests and its memory."""
    draw = random.Random(1)
    bodies = [json.dumps(make(draw)) for _ in range(options.inputs)]
    results = {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "bodies").write_text("".join(f"{body}\n" for body in bodies))
        variables = {"MODEL_DIR": str(package), "MODEL_THREADS": "1"}
        started = [
            contestants.predict_once(binary, MEMORY, **variables),
            contestants.predict_once(binary, REDIS, stack.enter_context(redis()), **variables),
            fastapi(FASTAPI, stack.enter_context(redis()), package),
        ]
        everyone = [OfModel(stack.enter_context(contestant), path) for contestant in started]
        # The first runs are slower: memory is allocated, and processors wake up.
        warm = [json.dumps(make(draw)) for _ in range(3)]
        for contestant in everyone:
            misses(contestant, warm)
        # In turns, a few inputs at a time.
        found = {contestant.name: ([], [], []) for contestant in everyone}
        for start in range(0, len(bodies), 5):
            for contestant in everyone:
                part = bodies[start : start + 5]
                answers, latencies, processor = misses(contestant, part)
                for into, of in zip(found[contestant.name], (answers, latencies, [processor] * len(part)), strict=True):
                    into.extend(of)
        expected = found[FASTAPI][0]
        for contestant in everyone:
            answers, latencies, processor = found[contestant.name]
            if not all(map(same, answers, expected)):
                raise SystemExit(f"{contestant.name}: an answer differs from FastAPI's")
            until(lambda asked=contestant: are_hits(asked, bodies), f"{contestant.name}: all answers are hits")
            results[contestant.name] = {
                "miss": statistics.median(latencies),
                "miss_99": sorted(latencies)[int(0.99 * (len(latencies) - 1))],
                "miss_processor": statistics.mean(processor),
                "runs": [],
            }
        for contestant in everyone:
            load(contestant, folder / "bodies", CONNECTIONS[-1], options.seconds)
        for _ in range(options.rounds):
            for connections in CONNECTIONS:
                for contestant in everyone:
                    run = load(contestant, folder / "bodies", connections, options.seconds)
                    results[contestant.name]["runs"].append((connections, run))
        for contestant in everyone:
            result = results[contestant.name]
            runs = result.pop("runs")
            alone, many = ([run for connections, run in runs if connections == of] for of in CONNECTIONS)
            result["hit"] = statistics.median(percentile(run["latency"], 50) for run in alone)
            result["hit_99"] = statistics.median(percentile(run["latency"], 99) for run in alone)
            result["rate"] = statistics.median(run["rate"] for run in many)
            result["hit_processor"] = statistics.median(run["processor"] for run in many) / 1000
            result["memory"], result["peak"] = memory(contestant.pid)
    return results


def are_hits(contestant, bodies):
    """Whether the cache answers all of these."""
    if contestant.name == MEMORY:
        return all(headers["cache-status"].startswith("predict-once; hit") for _, headers in contestant.ask(bodies))
    before = contestant.counts()
    count = len(list(contestant.ask(bodies)))
    return contestant.counts() == (before[0] + count, before[1])


def milliseconds(value):
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def tables(results):
    lines = []
    for case, of_case in results.items():
        lines += [
            f"### {case}",
            "",
            "| | miss, median / p99 | hit, median / p99 | gain | hits per second | per processor second: misses / hits | memory, peak |",
            "|---|--:|--:|--:|--:|--:|--:|",
        ]
        for name, of in of_case.items():
            lines.append(
                f"| {name} | {milliseconds(of['miss'])} / {milliseconds(of['miss_99'])} ms "
                f"| {milliseconds(of['hit'])} / {milliseconds(of['hit_99'])} ms | {of['miss'] / of['hit']:,.0f}× "
                f"| {of['rate']:,.0f} | {1000 / of['miss_processor']:,.0f} / {1000 / of['hit_processor']:,.0f} "
                f"| {of['memory']:,.0f} MB, {of['peak']:,.0f} MB |"
            )
        lines.append("")
    return "\n".join(lines).strip()


def summary(results):
    """What the figures say, in numbers of this run."""
    gains = {case: of[REDIS]["miss"] / of[REDIS]["hit"] for case, of in results.items()}
    rates = {case: of[REDIS]["rate"] / of[FASTAPI]["rate"] for case, of in results.items()}
    engine = {case: of[REDIS]["miss_processor"] / of[FASTAPI]["miss_processor"] for case, of in results.items()}
    lines = ["| | gain of a hit in Redis | hits per second, of FastAPI's | processor time of a miss, of FastAPI's |", "|---|--:|--:|--:|"]
    lines += [f"| {case} | {gains[case]:,.0f}× | {rates[case]:.1f}× | {engine[case]:.2f}× |" for case in results]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("binary", "template", "page", "plot"):
        parser.add_argument(name)
    parser.add_argument("--seconds", type=int, default=3, help="of a run with hits")
    parser.add_argument("--rounds", type=int, default=3, help="runs with hits of each contestant and number of connections")
    parser.add_argument("--inputs", type=int, default=60, help="different inputs of each model: its misses; at least 40, so that requests at the same time have different ones")
    options = parser.parse_args()
    machine = about(("fastapi", "uvicorn", "redis", "hiredis", "onnxruntime", "tokenizers", "pillow"))
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        packages = {name: Path(folder) / name for name in ("minilm", "resnet", "lstm")}
        for name, package in packages.items():
            getattr(models, name)(package)
        for case, name, path, make in tqdm(CASES, "measuring", unit="model"):
            results[case] = measure_case(options.binary, packages[name], path, make, options)
    drawn = {case: {name: of["miss"] / of["hit"] for name, of in of_case.items()} for case, of_case in results.items()}
    Path(options.plot).write_text(gain("How many times faster a hit is than a miss", drawn))
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    where = (
        f"Measured on {machine['date']} on {machine['cores']} cores of {machine['processor']}, with a load of {machine['load_before']} "
        f"before it: {versions}."
    )
    page = Path(options.template).read_text()
    for name, value in (("where", where), ("summary", summary(results)), ("tables", tables(results))):
        page = page.replace(f"{{{{{name}}}}}", value)
    for name in ("inputs", "seconds", "rounds"):
        page = page.replace(f"{{{{{name}}}}}", str(getattr(options, name)))
    Path(options.page).write_text(page)


if __name__ == "__main__":
    main()
