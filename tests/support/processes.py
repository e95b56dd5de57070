"""What the tests and benches in Python share: real processes on free ports, and figures in documents.

Nothing sleeps for a fixed time: what takes a while is polled, up to a deadline. Every process is ended by its id.
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

# An input of the model that ships: the one that the documentation shows.
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
    """Polls until `condition` gives something true, and gives that; connections that fail count as not yet. There is
    nothing to wait for once the process `of` has ended.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if of and of.poll() is not None:
            raise RuntimeError(f"{what}: the process has ended with {of.returncode}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            if result := condition():
                return result
        time.sleep(0.02)
    raise TimeoutError(f"{what}: not within {seconds} s")


def environment(**extra):
    """Nothing of the caller's that would configure the service, a client or the colours, and `extra`."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return inherited | extra


def binary():
    """The service's binary: BINARY, or what cargo builds, in the profile and with the features of the tests."""
    if given := os.environ.get("BINARY"):
        return given
    subprocess.run(["cargo", "build", "--test", "service"], cwd=ROOT, check=True)
    return str(ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug" / "predict-once")


@contextlib.contextmanager
def process(command, **options):
    """Runs `command` and gives it with the file that it prints into; shows the end of that if the caller fails."""
    with tempfile.NamedTemporaryFile("w+") as log:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)
        try:
            yield child, Path(log.name)
        except Exception:
            print(f"# the last that {command[0]} printed:\n" + "\n".join(Path(log.name).read_text().splitlines()[-20:]))
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
    """The service as a local server, with these settings and no others. Gives its port and its log."""
    with process([program], env=environment(PORT="0", **variables)) as (child, log):
        listening = until(lambda: re.search(r"listening on http://[\d.]+:(\d+)", log.read_text()), "it listens", of=child)
        yield int(listening[1]), log


@contextlib.contextmanager
def service_url(program, **variables):
    """The address of such a service, when its log is of no interest."""
    with service(program, **variables) as (port, _):
        yield f"http://127.0.0.1:{port}"


class Redis:
    """A redis-server of our own, which keeps nothing on disk."""

    def __init__(self, port):
        self.port = port
        self.url = f"redis://127.0.0.1:{port}"

    def command(self, *words, lines=None):
        """What redis-cli prints: of a command, or of `lines` of commands."""
        command = ["redis-cli", "-p", str(self.port), *words]
        done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()

    def each(self, command, keys):
        """What each key's command prints, which is a line."""
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
    """A fresh Redis Cluster of so many nodes, each with an equal part of the slots."""
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
    """Puts `text` between the two comments of this name in a document."""
    path = ROOT / document
    before, start, rest = path.read_text().partition(f"<!-- measured: {name} -->\n")
    _, end, after = rest.partition(f"<!-- end: {name} -->\n")
    if not (start and end):
        raise SystemExit(f"{document} has no place for {name}")
    path.write_text(before + start + text + end + after)
