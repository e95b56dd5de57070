"""Runs the service as in its image, but without a container engine: in the image's root file system, read-only, with the user and
settings of container/Dockerfile and container/kubernetes.yaml. `run` starts it.

usage: container.py BINARY
"""

import contextlib
import http.client
import json
import os
import re
import signal
import sys
import tempfile
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from checks import Checks  # noqa: E402
from processes import ROOT, free_port, redis, until  # noqa: E402
from sandbox import USER, root_of, sandbox  # noqa: E402

PENGUINS = ROOT / "tests/packages/penguins"
PENGUIN = {
    "island": "Biscoe", "sex": None, "bill_length_mm": 50.5, "bill_depth_mm": 15.9, "flipper_length_mm": 225, "body_mass_g": 5400,
}  # fmt: skip
DOCKERFILE = (ROOT / "container/Dockerfile").read_text()

checks = Checks()


def of_dockerfile(instruction):
    """The argument of an instruction in the last stage."""
    [found] = re.findall(rf"^{instruction} (.+)$", DOCKERFILE.rpartition("\nFROM ")[2], re.MULTILINE)
    return found


def send(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, json.dumps(body) if body else None, {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


@contextlib.contextmanager
def container(root, mounts, **variables):
    """Runs the image's command with its settings and `variables`, on the loopback interface only."""
    port = free_port()
    settings = dict(pair.split("=", 1) for pair in of_dockerfile("ENV").split())
    settings |= {"HOST": "127.0.0.1", "PORT": str(port)} | variables
    with sandbox(root, json.loads(of_dockerfile("ENTRYPOINT")), mounts, env=settings) as (child, log, pid):
        yield child, log, pid, port


def prove_root(root):
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    libraries = r"lib(64)?/(.+/)?(ld-linux-.+|lib(c|m|gcc_s)\.so\.\d)"
    known = rf"predict-once|etc/(passwd|group|os-release)|var/lib/dpkg/status.d/libc6|{libraries}"
    others = [file for file in files if not re.fullmatch(known, file)]
    checks.equal("the image contains only the binary, its libc and names for its user", others, [])
    elevated = [file for file in files if (root / file).stat().st_mode & 0o6022]
    checks.equal("no file is setuid, setgid, or writable by group or others", elevated, [])


def prove_service(root, pod):
    settings = {one["name"]: one["value"] for one in pod["env"]}
    # The manifest's port for probes belongs to a pod; here it may be taken.
    probes = free_port()
    settings["METRICS_ADDRESS"] = f"127.0.0.1:{probes}"
    with container(root, [(PENGUINS, "/model")], **settings) as (child, _, pid, port):
        until(lambda: send(port, "GET", "/health")[0] == 200, "it serves", of=child)
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
        checks.equal("it has no capabilities", [int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")], [0, 0, 0])
        mounts = [line.split() for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()]
        writable = [place for _, _, _, _, place, options, *_ in mounts if "rw" in options.split(",")]
        checks.equal("no mount is writable", [place for place in writable if not place.startswith(("/proc", "/dev"))], [])
        status, _, body = send(port, "POST", "/species", PENGUIN)
        checks.equal("it predicts with the mounted package", (status, body), (200, '{"species":"Gentoo"}'))
        checks.check("the next answer is a hit", "; hit" in send(port, "POST", "/species", PENGUIN)[1]["cache-status"])
        ready, live = (pod[probe]["httpGet"]["path"] for probe in ("readinessProbe", "livenessProbe"))
        checks.equal("it is ready and alive", [send(probes, "GET", probe)[0] for probe in (ready, live)], [200, 200])
        os.kill(pid, signal.SIGTERM)
        until(lambda: send(probes, "GET", ready)[0] == 503, "it is no longer ready", of=child)
        checks.equal("after SIGTERM, it is alive but not ready", send(probes, "GET", live)[0], 200)
        checks.equal("then it exits with 0, even as process 1", child.wait(30), 0)


def prove_redis_by_name(root, folder):
    """Name resolution works with libc alone: here from /etc/hosts, which container engines mount."""
    hosts = folder / "hosts"
    hosts.write_text("127.0.0.1 cache.example\n")
    mounts = [(PENGUINS, "/model"), (hosts, "/etc/hosts")]
    with redis() as store:
        for expected in ("fwd=miss", "hit; detail=redis"):
            url = f"redis://cache.example:{store.port}"
            with container(root, mounts, REDIS_URL=url, CACHE_READ_TIMEOUT_MS="5000") as (child, _, _, port):
                until(lambda port=port: send(port, "GET", "/health")[0] == 200, "it serves", of=child)
                found = send(port, "POST", "/species", PENGUIN)[1]["cache-status"]
                checks.equal(f"Redis by host name: {expected}", found, f"predict-once; {expected}")
                until(lambda: store.command("KEYS", "*"), "the prediction is stored")


def prove_refusal(root):
    with container(root, []) as (child, log, _, _):
        checks.equal("without a package, it does not start", child.wait(10), 1)
        checks.check("and names the missing file", "/model" in log.read_text(), log.read_text())


def main():
    checks.equal("the image's user is the user of these tests", of_dockerfile("USER"), f"{USER}:{USER}")
    deployment, _ = yaml.safe_load_all((ROOT / "container/kubernetes.yaml").read_text())
    [pod] = deployment["spec"]["template"]["spec"]["containers"]
    mounted = [mount["mountPath"] for mount in pod["volumeMounts"]]
    places = dict(pair.split("=", 1) for pair in of_dockerfile("ENV").split())
    checks.equal("kubernetes.yaml mounts the package at the image's MODEL_DIR", mounted, [places["MODEL_DIR"]])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Readable by every user, like an image's layers.
        folder.chmod(0o755)
        root = root_of(sys.argv[1], folder / "root")
        prove_root(root)
        with checks.part("the service"):
            prove_service(root, pod)
        with checks.part("Redis by host name"):
            prove_redis_by_name(root, folder)
        with checks.part("a missing package"):
            prove_refusal(root)
    sys.exit(checks.finish())


if __name__ == "__main__":
    main()
