"""The compared servers. Each gets the same inputs in its own protocol and reports whether its cache missed."""

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/support"))
from processes import ROOT, environment, free_port, process, until

HERE = Path(__file__).parent
CORES = os.cpu_count()

BARE = "bare hyper server"
MEMORY = "predict-once, memory"
MEMORY_CORES = "predict-once, memory, all cores"
LOGGING = "predict-once, memory, logging"
REDIS = "predict-once, Redis"
TRITON = "Triton"
MLSERVER = "MLServer"
LESSON = "FastAPI, lesson"
ASYNC = "FastAPI, async"
ASYNC_CORES = "FastAPI, async, all cores"

PATHS = {"decision": "/decisions", "probability": "/probabilities", "risk_category": "/risk_categories"}


class Contestant:
    """The service, and any server with the same API."""

    predictions = tuple(PATHS)

    def __init__(self, name, pid, port):
        self.name, self.pid, self.port = name, pid, port

    def path(self, prediction):
        return PATHS[prediction]

    def body(self, application):
        return json.dumps(application)

    def predicted(self, prediction, answer):
        return answer[prediction]

    def fetch(self, requests):
        """Sends each (method, path, body) in turn and yields the response's JSON and headers. The requests equal those of load.lua."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port)) as connection:
            for method, path, body in requests:
                connection.putrequest(method, path, skip_accept_encoding=True)
                connection.putheader("Content-Type", "application/json")
                connection.putheader("Content-Length", len(body))
                connection.endheaders(body.encode())
                response = connection.getresponse()
                text = response.read()
                if response.status != 200:
                    raise SystemExit(f"{self.name} answered {response.status}: {text.decode()}")
                yield json.loads(text), response.headers

    def ask(self, applications, prediction="decision"):
        return self.fetch(("POST", self.path(prediction), self.body(application)) for application in applications)

    def answers(self, applications, prediction):
        return [self.predicted(prediction, answer) for answer, _ in self.ask(applications, prediction)]

    def hits(self, applications):
        """Whether the cache answers all of these."""
        return all(headers["cache-status"].startswith("predict-once; hit") for _, headers in self.ask(applications))

    def counts(self):
        """Hits and misses so far; None if the contestant does not count them."""


class WithRedis(Contestant):
    """A contestant whose hits Redis counts."""

    def __init__(self, name, pid, port, store):
        super().__init__(name, pid, port)
        self.store = store

    def counts(self):
        stats = self.store.info("stats")
        return int(stats["keyspace_hits"]), int(stats["keyspace_misses"])

    def hits(self, applications):
        before = self.counts()
        answers = list(self.ask(applications))
        return self.counts() == (before[0] + len(answers), before[1])


# Triton's type names in requests and in model configurations.
TENSORS = {float: ("FP64", "TYPE_FP64"), int: ("INT64", "TYPE_INT64"), str: ("BYTES", "TYPE_STRING")}


class Triton(Contestant):
    """Triton with a model per prediction and a tensor per field."""

    def path(self, prediction):
        return f"/v2/models/{prediction}/infer"

    def body(self, application):
        tensors = [
            {"name": name, "shape": [1], "datatype": TENSORS[type(value)][0], "data": [value]}
            for name, value in application.items()
        ]
        return json.dumps({"inputs": tensors})

    def predicted(self, prediction, answer):
        return answer["outputs"][0]["data"][0]

    def version(self):
        [(about, _)] = self.fetch([("GET", "/v2", "")])
        return about["version"]

    def counts(self):
        [(stats, _)] = self.fetch([("GET", "/v2/models/decision/stats", "")])
        stats = stats["model_stats"][0]["inference_stats"]
        return stats["cache_hit"]["count"], stats["cache_miss"]["count"]

    hits = WithRedis.hits


class MLServer(Triton):
    """MLServer, which speaks Triton's protocol. Its cache keys omit the model's name, so only one model can be served correctly."""

    predictions = ("decision",)

    def __init__(self, name, pid, port, metrics_port):
        super().__init__(name, pid, port)
        self.metrics = f"http://127.0.0.1:{metrics_port}/metrics"

    def counts(self):
        with urllib.request.urlopen(self.metrics) as response:
            metrics = response.read().decode()
        answers, runs = (
            float(re.search(rf"^{name}_total(?:{{.*}})? (\S+)$", metrics, re.MULTILINE)[1])
            for name in ("model_infer_request_success", "model_runs")
        )
        return answers - runs, runs


@contextlib.contextmanager
def listening(command, port, variables, seconds=30):
    """The process, once it accepts connections."""
    with process(command, env=variables) as (child, _):
        until(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None, "it listens", seconds, of=child)
        yield child


@contextlib.contextmanager
def bare(program, name):
    """The bare server, which chooses a port and prints it."""
    with process([program]) as (child, log):
        printed = until(lambda: re.search(r"listening on http://[\d.]+:(\d+)", log.read_text()), "it listens", of=child)
        yield Contestant(name, child.pid, int(printed[1]))


@contextlib.contextmanager
def predict_once(program, name, store=None, **variables):
    """One worker, caching only in memory or only in Redis. No contestant logs requests unless its name says so."""
    port = free_port()
    variables = {"PORT": str(port), "LOG_LEVEL": "warn", "WORKERS": "1"} | variables
    if store:
        # With the default of 50 ms, other load on the machine could cause lookups to time out.
        variables |= {"REDIS_URL": store.url, "MEMORY_CACHE_ENTRIES": "0", "CACHE_READ_TIMEOUT_MS": "2000"}
    # Request logs are written but discarded.
    command = ["sh", "-c", 'exec "$0" >/dev/null', program]
    with listening(command, port, environment(**variables)) as child:
        yield WithRedis(name, child.pid, port, store) if store else Contestant(name, child.pid, port)


@contextlib.contextmanager
def fastapi(module, name, store, database, *options):
    """A FastAPI application under uvicorn, in this program's Python environment."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"{module}:app", "--port", str(port), "--no-access-log", *options]
    with listening(command, port, environment(REDIS_URL=f"{store.url}/{database}", PYTHONPATH=str(HERE))) as child:
        yield WithRedis(name, child.pid, port, store)


def triton_models(folder, application):
    """A Triton model repository with one model per prediction."""
    inputs = ", ".join(
        f'{{ name: "{name}" data_type: {TENSORS[type(value)][1]} dims: [1] }}' for name, value in application.items()
    )
    for prediction in PATHS:
        kind = "TYPE_FP32" if prediction == "probability" else "TYPE_STRING"
        (folder / prediction / "1").mkdir(parents=True)
        shutil.copy(HERE / "triton_model.py", folder / prediction / "1/model.py")
        (folder / prediction / "config.pbtxt").write_text(
            f'backend: "python"\nmax_batch_size: 0\ninput [ {inputs} ]\n'
            f'output [ {{ name: "{prediction}" data_type: {kind} dims: [1] }} ]\n'
            f'parameters {{ key: "modules" value {{ string_value: "{HERE}" }} }}\n'
            "instance_group [ { kind: KIND_CPU } ]\nresponse_cache { enable: true }\n"
        )


def install(script, *arguments):
    """The folder that the script prints, or None if it fails; the script prints the reason."""
    installed = subprocess.run([ROOT / "scripts" / script, *arguments], stdout=subprocess.PIPE, text=True)
    return None if installed.returncode else Path(installed.stdout.strip())


@contextlib.contextmanager
def triton(packages, name, application):
    """Triton with its local response cache."""
    server, port = packages / "pytriton/tritonserver", free_port()
    with tempfile.TemporaryDirectory() as folder:
        triton_models(Path(folder), application)
        options = {
            "model-repository": folder,
            "backend-directory": server / "backends",
            "cache-directory": server / "caches",
            "cache-config": f"local,size={64 << 20}",
            "http-address": "127.0.0.1",
            "http-port": port,
            "allow-grpc": "false",
            "allow-metrics": "false",
        }
        command = [server / "bin/tritonserver", *(f"--{option}={value}" for option, value in options.items())]
        # The backend's process looks for its packages beside the first python3 on PATH.
        path = f"{packages.parents[2] / 'bin'}:{os.environ['PATH']}"
        with listening(command, port, environment(PATH=path), seconds=120) as child:
            yield Triton(name, child.pid, port)


@contextlib.contextmanager
def mlserver(programs, name):
    """MLServer with its response cache, in one process: the model is faster than handing it to another process."""
    ports = {f"{what}_port": free_port() for what in ("http", "grpc", "metrics")}
    settings = {"host": "127.0.0.1", "debug": False, "parallel_workers": 0, "cache_enabled": True, "cache_size": 10_000} | ports
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "settings.json").write_text(json.dumps(settings))
        model = {"name": "decision", "implementation": "mlserver_model.CreditRiskModel", "cache_enabled": True}
        (Path(folder) / "model-settings.json").write_text(json.dumps(model))
        command, variables = [programs / "mlserver", "start", folder], environment(PYTHONPATH=str(HERE))
        with listening(command, ports["http_port"], variables, seconds=120) as child:
            ready = f"http://127.0.0.1:{ports['http_port']}/v2/models/decision/ready"
            until(lambda: urllib.request.urlopen(ready).status == 200, "the model is loaded", of=child)
            yield MLServer(name, child.pid, ports["http_port"], ports["metrics_port"])
