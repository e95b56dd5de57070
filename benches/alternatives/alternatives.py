#!/usr/bin/env python3
"""Serves the model of bookings.py with predict-once, MLflow, BentoML and vetiver; fills docs/alternatives.md and README.md.

alternatives.py BINARY

Installs each into an environment of its own in target/tools/alternatives, unless it is there already; the model's libraries are
shared and do not count. Processor time beside wall time says how much a busy machine slowed it down.
"""

import http.client
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "shared"))
TOOLS = ROOT / "target/tools/alternatives"
SHARED = TOOLS / "shared"
WARM_UP, REQUESTS = 20, 200

EXAMPLE = {"lead_time": 250, "adr": 100.0, "market_segment": "Online", "country": "PRT"}
MISSPELT = EXAMPLE | {"country": "prt"}


@dataclass
class Alternative:
    name: str
    requirement: str
    file: str
    """What its user writes, after the model has been fitted."""
    command: Callable[[Path, int], list[str]]
    """Starts it, from its environment's executables, on a port."""
    path: str
    body: Callable[[dict[str, object]], object]
    prepares: bool
    """Whether the file is run once to write the model, instead of in the service."""


def alternatives(binary: str) -> list[Alternative]:
    return [
        Alternative(
            "predict-once", str(ROOT / "python"), "of_predict_once.py", lambda _, port: [binary], "/cancelled_probabilities",
            lambda row: row, True,
        ),
        Alternative(
            "MLflow", "mlflow==3.17.2", "of_mlflow.py",
            lambda bin, port: [f"{bin}/mlflow", *"models serve -m model --env-manager local --host 127.0.0.1 -p".split(), str(port)],
            "/invocations", lambda row: {"dataframe_records": [row]}, True,
        ),
        Alternative(
            "BentoML", "bentoml==1.4.40", "of_bentoml.py",
            lambda bin, port: [f"{bin}/bentoml", "serve", "of_bentoml:Cancellation", "--host", "127.0.0.1", "-p", str(port)],
            "/predict", lambda row: row, False,
        ),
        Alternative(
            "vetiver", "vetiver==0.2.6", "of_vetiver.py",
            lambda bin, port: [f"{bin}/python", "-m", "uvicorn", "of_vetiver:app", "--log-level", "warning", "--port", str(port)],
            "/predict", lambda row: [row], False,
        ),
    ]  # fmt: skip


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_symlink())


def environment(folder: Path, *requirements: str) -> dict[str, float]:
    """Installs into a virtual environment that also sees the shared one; what that took."""
    record = folder / "installed.json"
    wanted = [*requirements, (HERE / "requirements.txt").read_text()]
    if record.exists() and (found := json.loads(record.read_text()))["wanted"] == wanted:
        return found
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    if folder != SHARED:
        (packages / "shared.pth").write_text(f"{next(SHARED.glob('lib/python*/site-packages'))}\n")
    before, start, used = size(folder), time.monotonic(), processor_seconds()
    command = [f"{folder}/bin/pip", "install", "--quiet", "--disable-pip-version-check", "-c", HERE / "requirements.txt"]
    subprocess.run([*command, *requirements], check=True)
    installed = {
        "wanted": wanted,
        "seconds": time.monotonic() - start,
        "processor_seconds": processor_seconds() - used,
        "bytes": size(folder) - before,
    }
    record.write_text(json.dumps(installed))
    return installed


def lines(file: str) -> int:
    """The lines that a user writes, without empty ones."""
    _, _, own = (HERE / file).read_text().partition("model, X = fitted()\n")
    return sum(1 for line in own.splitlines() if line.strip())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in tree(int(child)))]


def memory(pid: int) -> int:
    """The bytes of a process and its children. Shared pages count once."""
    pages = (re.search(r"^Pss: +(\d+)", Path(f"/proc/{one}/smaps_rollup").read_text(), re.MULTILINE) for one in tree(pid))
    return 1024 * sum(int(found[1]) for found in pages)


class Service:
    def __init__(self, port: int, alternative: Alternative) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.alternative = alternative

    def ask(self, row: dict[str, object]) -> tuple[int, object, float]:
        """Status, answer and milliseconds."""
        body = json.dumps(self.alternative.body(row))
        start = time.perf_counter()
        self.connection.request("POST", self.alternative.path, body, {"content-type": "application/json"})
        response = self.connection.getresponse()
        text = response.read()
        milliseconds = 1000 * (time.perf_counter() - start)
        try:
            return response.status, json.loads(text), milliseconds
        except ValueError:
            return response.status, text.decode(errors="replace"), milliseconds


def number(answer: object) -> object:
    """The number in an answer: of several, as for each class, the last."""
    while isinstance(answer, (dict, list)) and answer:
        answer = list(answer.values() if isinstance(answer, dict) else answer)[-1]
    return answer


def measure(
    alternative: Alternative, installed: dict[str, float], booking: Callable[[int], dict[str, object]]
) -> dict[str, object]:
    executables = TOOLS / alternative.name / "bin"
    with tempfile.TemporaryDirectory() as folder:
        variables = {"PATH": f"{executables}:{os.environ['PATH']}", "HOME": folder, "PYTHONPATH": str(HERE)}
        variables |= {"BENTOML_DO_NOT_TRACK": "True", "MLFLOW_DISABLE_TELEMETRY": "true"}
        if alternative.prepares:
            subprocess.run(
                [executables / "python", HERE / alternative.file], cwd=folder, env=variables, check=True, capture_output=True
            )
        port = free_port()
        variables |= {"PORT": str(port), "MODEL_DIR": f"{folder}/model", "WORKERS": "1"}
        start = time.monotonic()
        with (
            Path(folder, "log").open("wb") as log,
            subprocess.Popen(
                alternative.command(executables, port), cwd=folder, env=variables, stdout=log, stderr=log
            ) as process,
        ):
            try:
                while True:
                    try:
                        service = Service(port, alternative)
                        first = service.ask(EXAMPLE)
                        break
                    except OSError:
                        if process.poll() is not None or time.monotonic() > start + 120:
                            sys.exit(f"{alternative.name} does not start: {Path(folder, 'log').read_text()[-3000:]}")
                        time.sleep(0.01)
                started = time.monotonic() - start
                if first[0] != 200:
                    sys.exit(f"{alternative.name} answers {first}: {Path(folder, 'log').read_text()[-3000:]}")
                times = [service.ask(booking(one)) for one in range(WARM_UP + REQUESTS)]
                if failed := [answer for answer in times if answer[0] != 200]:
                    sys.exit(f"{alternative.name} answers {failed[0]}")
                held = memory(process.pid)
                misspelt = service.ask(MISSPELT)
            finally:
                process.terminate()
    return {
        **{name: installed[name] for name in ("seconds", "processor_seconds", "bytes")},
        "requirement": alternative.requirement.removeprefix(f"{ROOT}/"),
        "lines": lines(alternative.file),
        "start_seconds": started,
        "milliseconds": statistics.median(milliseconds for _, _, milliseconds in times[WARM_UP:]),
        "memory_bytes": held,
        "answer": number(first[1]),
        "misspelt": [misspelt[0], misspelt[1] if misspelt[0] != 200 else number(misspelt[1])],
    }


def rounded(value: float) -> str:
    """Two significant digits at most below 10."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def misspelt(result: dict[str, object]) -> str:
    status, answer = result["misspelt"]
    if status == 200:
        return f"**{shown(answer)}**"
    errors = answer.get("errors", []) if isinstance(answer, dict) else []
    return f"{status}" + "".join(f", “did you mean {one['suggestion']}?”" for one in errors if "suggestion" in one)


def shown(answer: object) -> str:
    return f"{answer:.3g}" if isinstance(answer, float) else f"class {answer}"


IN_SHORT = {
    "install: CPU time, size": lambda one: f"{rounded(one['processor_seconds'])} s, {rounded(one['bytes'] / 1e6)} MB",
    "lines of code": lambda one: str(one["lines"]),
    "start to first answer": lambda one: f"{rounded(one['start_seconds'])} s",
    "a new input": lambda one: f"{rounded(one['milliseconds'])} ms",
    "memory": lambda one: f"{rounded(one['memory_bytes'] / 2**20)} MiB",
    '`prt`, where `PRT` was meant, with `unknown="refuse"`': misspelt,
}
IN_FULL = {
    "version": lambda one: one["requirement"].partition("==")[2] or "this one",
    "install: CPU time": lambda one: f"{rounded(one['processor_seconds'])} s",
    "install: elapsed": lambda one: f"{rounded(one['seconds'])} s",
    "install: size": lambda one: f"{rounded(one['bytes'] / 1e6)} MB",
    **{name: IN_SHORT[name] for name in ("lines of code", "start to first answer", "a new input", "memory")},
    "answer to `PRT`": lambda one: shown(one["answer"]),
    "answer to `prt`": misspelt,
}


def table(results: dict[str, dict[str, object]], rows: dict[str, Callable[[dict[str, object]], str]]) -> str:
    lines = [["", *results], ["---", *["--:"] * len(results)]]
    lines += [[label, *(cell(result) for result in results.values())] for label, cell in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fill(file: Path, name: str, block: str) -> None:
    marked = re.compile(rf"(<!-- measured: {name} -->\n).*?(<!-- end: {name} -->)", re.DOTALL)
    found, count = marked.subn(lambda match: f"{match[1]}{block}\n{match[2]}", file.read_text())
    if count != 1:
        sys.exit(f"{file}: <!-- measured: {name} --> is missing")
    file.write_text(found)


def write(about: dict[str, object], results: dict[str, dict[str, object]]) -> None:
    fill(ROOT / "README.md", "alternatives", table(results, IN_SHORT))
    machine = (
        f"On {about['cores']} cores ({about['processor']}), load {about['load_before']} before, revision {about['revision']}."
    )
    fill(ROOT / "docs/alternatives.md", "alternatives-in-full", f"{table(results, IN_FULL)}\n\n{machine}")


def main() -> None:
    binary = str(Path(sys.argv[1]).resolve())
    load = os.getloadavg()[0]
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())[1]
    TOOLS.mkdir(parents=True, exist_ok=True)
    environment(SHARED, "-r", str(HERE / "requirements.txt"))
    sys.path += [str(path) for path in SHARED.glob("lib/python*/site-packages")]
    from bookings import booking, fitted

    model, X = fitted()
    row = X.head(1).assign(**{name: [value] for name, value in EXAMPLE.items()}).astype(X.dtypes)
    right = float(model.predict_proba(row)[0, 1])
    results = {}
    for alternative in alternatives(binary):
        installed = environment(TOOLS / alternative.name, alternative.requirement)
        results[alternative.name] = found = measure(alternative, installed, booking)
        wrong = abs(found["answer"] - right) > 1e-9 if isinstance(found["answer"], float) else found["answer"] != round(right)
        if wrong:
            sys.exit(f"{alternative.name} answers {found['answer']} instead of {right}")
        print(alternative.name, json.dumps(found), flush=True)
    about = {
        "processor": processor,
        "cores": os.cpu_count(),
        "load_before": round(load, 2),
        "revision": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
        ).stdout.strip(),
    }
    (HERE / "results.json").write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")
    write(about, results)


if __name__ == "__main__":
    main()
