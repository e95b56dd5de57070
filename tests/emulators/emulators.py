"""Tests the function under AWS's runtime interface emulator and under cargo-lambda. `run` starts it."""

import argparse
import base64
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from checks import Checks  # noqa: E402
from gateway import gateway  # noqa: E402
from processes import APPLICATION, ROOT, free_port, process, redis, until  # noqa: E402

EVENTS = ROOT / "events"

MISS = "predict-once; fwd=miss"
HIT_MEMORY = "predict-once; hit; detail=memory"
HIT_REDIS = "predict-once; hit; detail=redis"

# --- Processes ------------------------------------------------------------------------------------


def environment(**extra):
    """This environment plus `extra`, without variables that configure the service."""
    ours = ("REDIS_", "CACHE_", "MEMORY_CACHE_", "AWS_", "MODEL_DIR", "LOG_LEVEL", "CORS_", "HOST", "PORT")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return inherited | extra


# --- Answers --------------------------------------------------------------------------------------


class Answer:
    """An HTTP response, received over a socket or as the JSON that a function returns."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @classmethod
    def of_function(cls, payload):
        # API Gateway's REST API gets its headers in multiValueHeaders, its HTTP API in headers, ALB in both.
        headers = {name: ", ".join(values) for name, values in (payload.get("multiValueHeaders") or {}).items()}
        headers |= payload.get("headers") or {}
        body = payload.get("body") or ""
        if payload.get("isBase64Encoded"):
            body = base64.b64decode(body).decode()
        if "statusCode" not in payload:
            raise ValueError(f"not an HTTP answer: {payload}")
        return cls(payload["statusCode"], headers, body)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def cache_status(self):
        return self.headers.get("cache-status")


def send(port, method, path, body=None, headers=None, timeout=30):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read().decode())
    finally:
        connection.close()


def post_application(port, path, **changes):
    body = json.dumps(APPLICATION | changes)
    return send(port, "POST", path, body, {"content-type": "application/json"})


def event(name):
    return json.loads((EVENTS / f"{name}.json").read_text())


# --- The deployment package -----------------------------------------------------------------------


def prove_build(checks, build):
    """The build contains everything that the template refers to: the function and the nested templates."""
    template = (build / "template.yaml").read_text()
    named = {kind: re.findall(rf"^ +{kind}: (\S+)$", template, re.MULTILINE) for kind in ("CodeUri", "TemplateURL")}
    checks.equal("sam build: one function", named["CodeUri"], ["PredictOnce"])
    checks.equal("sam build: its folder contains only the binary", os.listdir(build / "PredictOnce"), ["bootstrap"])
    found = "".join((build / path).read_text() for path in named["TemplateURL"])
    for stack in (ROOT / "stacks").glob("*.yaml"):
        description = stack.read_text().splitlines()[1]
        checks.check(f"sam build: includes the template of {stack.stem}", description in found, named)


# --- Checks under both emulators ------------------------------------------------------------------


def prove_events(checks, invoke, hit):
    """Plays the files of events/. `invoke` takes an event's name and returns the function's answer; `hit` is the cache-status of a
    cached answer.
    """

    def http_answer(name):
        return Answer.of_function(invoke(name))

    first = http_answer("http-api")
    checks.equal("HTTP API: 200", first.status, 200)
    checks.equal("HTTP API: JSON", first.headers.get("content-type"), "application/json")
    checks.check("HTTP API: a decision", first.json in ({"decision": "ACCEPT"}, {"decision": "DECLINE"}), first.body)
    checks.equal("HTTP API: the first answer is a miss", first.cache_status, MISS)
    checks.check("HTTP API: server-timing has the model's time", "model;dur=" in first.headers.get("server-timing", ""))

    again = http_answer("http-api")
    checks.equal("HTTP API: the second is a hit", again.cache_status, hit)
    checks.equal("HTTP API: the hit has the miss's answer", again.body, first.body)

    others = ("rest-api", "rest-api-base-path", "function-url", "alb", "vpc-lattice-v1")
    for name in ("http-api-named-stage", *others, "http-api-base64"):
        answer = http_answer(name)
        checks.equal(f"{name}: 200", answer.status, 200)
        checks.equal(f"{name}: the same decision", answer.body, first.body)
        checks.equal(f"{name}: a hit, since the application is the same", answer.cache_status, hit)

    rest = invoke("rest-api")
    checks.check("REST API: headers where it reads them", rest.get("multiValueHeaders", {}).get("cache-status"), rest)
    balancer = invoke("alb")
    checks.equal("ALB: statusDescription", balancer.get("statusDescription"), "200 OK")
    checks.equal("ALB: headers in the field that it reads", balancer.get("headers", {}).get("cache-status"), hit)

    probability = http_answer("http-api-probabilities")
    checks.check("probabilities: between 0 and 1", 0 < probability.json["probability"] < 1, probability.body)
    checks.equal("probabilities: a miss for the same application", probability.cache_status, MISS)
    again = http_answer("http-api-probabilities")
    checks.equal("probabilities: then a hit", (again.cache_status, again.body), (hit, probability.body))

    category = http_answer("http-api-risk-categories")
    checks.check("risk_categories: a category", category.json["risk_category"].endswith("_risk"), category.body)
    checks.equal("risk_categories: a miss for the same application", category.cache_status, MISS)
    again = http_answer("http-api-risk-categories")
    checks.equal("risk_categories: then a hit", (again.cache_status, again.body), (hit, category.body))

    document = http_answer("http-api-openapi")
    committed = json.loads((ROOT / "docs/openapi.json").read_text())
    checks.equal(
        "openapi.json: the committed document",
        (document.status, document.json),
        (200, committed),
    )

    for name, status in (
        ("http-api-invalid-application", 422),
        ("http-api-undecodable-base64", 400),
        ("http-api-unknown-path", 404),
        ("http-api-wrong-method", 405),
    ):
        answer = http_answer(name)
        checks.equal(f"{name}: {status}", answer.status, status)
        checks.equal(f"{name}: a problem", answer.headers.get("content-type"), "application/problem+json")
        checks.equal(f"{name}: the status is also in the body", answer.json.get("status"), status)
        if status == 422:
            checks.equal(
                f"{name}: lists every invalid field",
                sorted(error["pointer"] for error in answer.json["errors"]),
                [
                    "#/age_in_years",
                    "#/foreign_worker",
                    "#/installment_rate_in_percentage_of_disposable_income",
                    "#/monthly_income",
                    "#/present_employment_since",
                ],
            )
        if status == 405:
            checks.check(f"{name}: allow", "POST" in answer.headers.get("allow", ""), answer.headers)

    checks.equal("direct: the body of the endpoint", invoke("direct"), first.json)
    checks.equal("direct: a problem", invoke("direct-invalid-application").get("status"), 422)
    for name in ("schedule", "serverless-plugin-warmup", "lambda-warmer"):
        checks.equal(f"{name}: no error", invoke(name).get("statusCode"), 200)

    error = invoke("not-http")
    checks.equal("not-http: an invocation error", error.get("errorType"), "UnsupportedEvent")
    checks.check("not-http: with a message", error.get("errorMessage"), error)
    after = http_answer("http-api")
    checks.equal("not-http: the next event is served as usual", (after.status, after.cache_status), (200, hit))


def prove_smoke_test(checks, invoke, cache):
    """`make smoke-test` passes against the function behind an HTTP API."""
    with gateway(invoke, event("http-api"), Answer.of_function) as url:
        command = [ROOT / "scripts/smoke-test", url, "--requests", "20", "--cache", cache]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300)
    checks.check(f"smoke test, cache {cache}: every check passes", done.returncode == 0, done.stdout + done.stderr)
    checks.check(f"smoke test, cache {cache}: hits are measured", "\n| hit |" in done.stdout, done.stdout)


def warm_up(answer_to_another_application):
    """Waits until the function has started and connected. The lookup's deadline assumes an open connection, which a busy machine may
    take longer to establish.
    """
    until(lambda: "; hit" in (answer_to_another_application().cache_status or ""), "a first hit", 60)


# --- AWS's runtime interface emulator -------------------------------------------------------------


@contextlib.contextmanager
def runtime_interface_emulator(emulator, bootstrap, **settings):
    """Runs the binary under the emulator; yields a function that sends it an event.

    The emulator answers only when the function asks for the next event, so it cannot show that the write follows the response.
    """
    port, api_port = free_port(), free_port()
    command = [emulator, "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    command += ["--runtime-api-address", f"127.0.0.1:{api_port}", bootstrap]
    settings = environment(AWS_LAMBDA_FUNCTION_NAME="predict-once", **settings)

    def invoke(payload):
        return json.loads(send(port, "POST", "/2015-03-31/functions/function/invocations", json.dumps(payload)).body)

    def listens():
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True

    with process(command, env=settings) as (child, _):
        until(listens, "aws-lambda-rie listens", of=child)
        warm = event("http-api") | {"body": json.dumps(APPLICATION | {"age_in_years": 99})}
        warm_up(lambda: Answer.of_function(invoke(warm)))
        yield invoke


# --- cargo-lambda ---------------------------------------------------------------------------------


@contextlib.contextmanager
def cargo_lambda_watch(**settings):
    port = free_port()
    with process(["make", "lambda", f"LAMBDA_PORT={port}", "LAMBDA_BUILD="], cwd=ROOT, env=environment(**settings)) as (child, _):
        until(lambda: send(port, "GET", "/openapi.json").status == 200, "make lambda serves", 300, of=child)
        warm_up(lambda: post_application(port, "/decisions", age_in_years=99))
        yield port


def cargo_lambda_invoke(port, name, function=None):
    command = ["cargo", "lambda", "invoke"] + ([function] if function else [])
    command += ["-A", "127.0.0.1", "-P", str(port), "--data-file", str(EVENTS / f"{name}.json")]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        # cargo-lambda prints `Error: ` and the error's type on the first line, and the message below it.
        kind, _, message = done.stderr.strip().partition("\n")
        return {"errorType": kind.removeprefix("Error: "), "errorMessage": message.strip()}
    return json.loads(done.stdout)


def prove_http(checks, port):
    """The same function, called over HTTP as during development."""
    for path in ("/decisions", "/lambda-url/predict-once/decisions"):
        changes = {"age_in_years": 31 if path == "/decisions" else 32}
        first = post_application(port, path, **changes)
        checks.equal(f"POST {path}: 200", first.status, 200)
        checks.equal(f"POST {path}: first a miss", first.cache_status, MISS)
        again = post_application(port, path, **changes)
        checks.equal(f"POST {path}: then a hit", (again.cache_status, again.body), (HIT_REDIS, first.body))
    nothing = send(port, "POST", "/decisions", "", {"content-type": "application/json"})
    checks.equal("POST /decisions without a body: 400", nothing.status, 400)


def prove_shared_cache(checks, port):
    """cargo-lambda starts another process, like another execution environment, when the function is called by name."""
    answer = Answer.of_function(cargo_lambda_invoke(port, "http-api", "predict-once"))
    checks.equal("another environment hits the first one's entry", answer.cache_status, HIT_REDIS)


def prove_write_after_response(checks, port, store):
    """While Redis delays writes by two seconds, the response does not wait, and the entry is stored eventually."""

    def keys():
        return set(store.command("KEYS", "*").split())

    before = keys()
    paused = time.monotonic()
    store.command("CLIENT", "PAUSE", "2000", "WRITE")
    answer = post_application(port, "/decisions", age_in_years=64)
    took = time.monotonic() - paused
    entries_then = keys()

    checks.equal("delayed write: a miss, answered", (answer.status, answer.cache_status), (200, MISS))
    checks.check(f"delayed write: the response arrives after {took * 1000:.0f} ms", took < 1, f"{took:.3f} s")
    checks.equal("delayed write: the entry is not stored yet", entries_then, before)

    until(lambda: keys() - before, "the entry is stored", 10)
    waited = time.monotonic() - paused
    stored = keys() - before
    checks.check(f"delayed write: the entry is stored after {waited:.1f} s", len(stored) == 1 and waited > 1.5, stored)
    checks.check("delayed write: the entry has a TTL", all(int(store.command("TTL", key)) > 0 for key in stored), stored)

    again = post_application(port, "/decisions", age_in_years=64)
    checks.equal("delayed write: the next answer is a hit", (again.cache_status, again.body), (HIT_REDIS, answer.body))


# --- Main -----------------------------------------------------------------------------------------


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--build", required=True, type=Path, help="output folder of sam build")
    arguments.add_argument("--emulator", required=True, type=Path, help="AWS's runtime interface emulator")
    options = arguments.parse_args()
    # On SIGTERM, exit normally, which ends the child processes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="predict-once-emulators-") as folder:
        scratch = Path(folder)
        # SAM's package includes the emulator as a data file, which may not be executable.
        emulator = Path(shutil.copy(options.emulator, scratch))
        emulator.chmod(0o755)
        bootstrap = options.build.resolve() / "PredictOnce/bootstrap"
        # A busy machine may miss the default lookup deadline of 50 ms, which is not tested here.
        patient = {"CACHE_READ_TIMEOUT_MS": "1000"}

        with checks.part("sam build"):
            prove_build(checks, options.build)

        with checks.part("AWS's runtime interface emulator, cache in memory"):
            with runtime_interface_emulator(emulator, bootstrap) as invoke:
                prove_events(checks, lambda name: invoke(event(name)), HIT_MEMORY)
                prove_smoke_test(checks, invoke, "any")

        with checks.part("AWS's runtime interface emulator, cache in Redis"):
            with redis() as store:
                settings = patient | {"REDIS_URL": store.url, "MEMORY_CACHE_ENTRIES": "0"}
                with runtime_interface_emulator(emulator, bootstrap, **settings) as invoke:
                    prove_events(checks, lambda name: invoke(event(name)), HIT_REDIS)
                    prove_smoke_test(checks, invoke, "redis")

        with checks.part("cargo lambda watch and invoke, cache in Redis"):
            with redis() as store:
                settings = patient | {"REDIS_URL": store.url, "MEMORY_CACHE_ENTRIES": "0", "CACHE_WRITE_TIMEOUT_MS": "3000"}
                with cargo_lambda_watch(**settings) as port:
                    prove_events(checks, lambda name: cargo_lambda_invoke(port, name), HIT_REDIS)
                    prove_http(checks, port)
                    prove_shared_cache(checks, port)
                    prove_write_after_response(checks, port, store)

    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
