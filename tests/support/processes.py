"""Shared by the Python tests and benches: real processes on free ports, and figures in documents.

Nothing sleeps for a fixed time: conditions are polled up to a deadline. Every process is ended by its id.
"""

import contextlib
import http.client
import os
import re
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The documentation's example input of the shipped model.
APPLICATION = {
    "installment_rate_in_percentage_of_disposable_income": 0.25,
    "age_in_years": 30,
    "foreign_worker": "yes",
    "present_employment_since": "unemployed",
    "personal_status_and_sex": "male: single",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, what, seconds=30, of=None):
    """Polls until `condition` returns a true value, and returns it. Failed connections count as false. Raises at once if the process
    `of` has ended.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if of and of.poll() is not None:
            raise RuntimeError(f"{what}: the process exited with status {of.returncode}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            if result := condition():
                return result
        time.sleep(0.02)
    raise TimeoutError(f"{what}: timed out after {seconds} s")


def environment(**extra):
    """`extra`, plus the caller's variables that do not configure the service, a client or colours."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return inherited | extra


def binary():
    """The service's binary: BINARY, or built by cargo with the profile and features of the tests."""
    if given := os.environ.get("BINARY"):
        return given
    subprocess.run(["cargo", "build", "--test", "service"], cwd=ROOT, check=True)
    return str(ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug" / "predict-once")


@contextlib.contextmanager
def process(command, **options):
    """Runs `command`; yields the process and its log file, whose end is printed if the caller fails."""
    with tempfile.NamedTemporaryFile("w+") as log:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)
        try:
            yield child, Path(log.name)
        except Exception:
            print(f"# last output of {command[0]}:\n" + "\n".join(Path(log.name).read_text().splitlines()[-20:]))
            raise
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextlib.contextmanager
def service(program, **variables):
    """The service as a local server with only these settings; yields its port and log."""
    with process([program], env=environment(PORT="0", **variables)) as (child, log):
        listening = until(lambda: re.search(r"listening on http://[\d.]+:(\d+)", log.read_text()), "it listens", of=child)
        yield int(listening[1]), log


@contextlib.contextmanager
def service_url(program, **variables):
    """Like `service`, but yields only the address."""
    with service(program, **variables) as (port, _):
        yield f"http://127.0.0.1:{port}"


class Redis:
    """A private redis-server without persistence."""

    def __init__(self, port):
        self.port = port
        self.url = f"redis://127.0.0.1:{port}"

    def command(self, *words, lines=None):
        """The output of redis-cli for a command, or for `lines` of commands."""
        command = ["redis-cli", "-p", str(self.port), *words]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()

    def each(self, command, keys):
        """The one-line reply to the command for each key."""
        return self.command(lines="".join(f"{command} {key}\n" for key in keys)).splitlines()

    def info(self, section):
        lines = self.command("INFO", section).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)


@contextlib.contextmanager
def redis(*options):
    """A fresh redis-server with these options."""
    subprocess.run([ROOT / "scripts/install-redis"], check=True)
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder, *options]
        with process(command) as (child, _):
            until(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None, "it listens", of=child)
            yield Redis(port)


@contextlib.contextmanager
def redis_cluster(size=2):
    """A fresh Redis Cluster of `size` nodes with equal shares of the slots."""
    with contextlib.ExitStack() as stack:
        buses = [free_port() for _ in range(size)]
        nodes = [stack.enter_context(redis("--cluster-enabled", "yes", "--cluster-port", str(bus))) for bus in buses]
        for number, node in enumerate(nodes):
            first, after = (16384 * part // size for part in (number, number + 1))
            node.command("CLUSTER", "ADDSLOTSRANGE", str(first), str(after - 1))
        for node, bus in zip(nodes[1:], buses[1:], strict=True):
            nodes[0].command("CLUSTER", "MEET", "127.0.0.1", str(node.port), str(bus))
        until(lambda: all("cluster_state:ok" in node.command("CLUSTER", "INFO") for node in nodes), "the cluster is ready")
        yield nodes


def write_measured(document, name, text):
    """Replaces the text between the two comments with this name in a document."""
    path = ROOT / document
    before, start, rest = path.read_text().partition(f"<!-- measured: {name} -->\n")
    _, end, after = rest.partition(f"<!-- end: {name} -->\n")
    if not (start and end):
        raise SystemExit(f"{document} has no comments measured: {name} and end: {name}")
    path.write_text(before + start + text + end + after)
