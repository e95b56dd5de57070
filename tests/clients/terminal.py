"""Checks the output of scripts/request and scripts/demo/run in a pipe and on a terminal, and that the demo cleans up. `run` starts it."""

import argparse
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from faulty_proxy import FaultyProxy

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from checks import Checks  # noqa: E402
from processes import APPLICATION, ROOT, environment, service_url  # noqa: E402

REQUEST = ROOT / "scripts/request"
DEMO = ROOT / "scripts/demo/run"
COLOUR = "\033["
MILLISECONDS = r"\d+\.\d ms"
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def run(script, *arguments, seconds=60, **variables):
    """Status, output and errors of a script without a terminal."""
    command = [str(script), *arguments]
    done = subprocess.run(command, env=environment(**variables), capture_output=True, text=True, timeout=seconds)
    return done.returncode, done.stdout, done.stderr


def run_on_terminal(script, interrupt_at=None, seconds=60, **variables):
    """Status and text of a script on a pseudo-terminal; sends Ctrl-C as soon as the text contains `interrupt_at`."""
    child, terminal = pty.fork()
    if child == 0:
        # Background jobs ignore SIGINT, and a shell cannot trap a signal that was ignored when it started.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execve(script, [str(script)], environment(TERM="xterm-256color", **variables))
    text, pressed, deadline = b"", False, time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 0.1)[0]:
                continue
            try:
                read = os.read(terminal, 65536)
            except OSError:  # Linux raises it when the other end is closed
                break
            if not read:
                break
            text += read
            if interrupt_at and not pressed and interrupt_at.encode() in text:
                os.write(terminal, b"\x03")
                pressed = True
        else:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(terminal)
        _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), text.decode()


def check_request(checks, binary, folder):
    """Each outcome is one line of text."""
    with service_url(binary) as url:
        answers = [run(REQUEST, URL=url) for _ in range(2)]
        tail = rf"request {UUID}\n"
        miss = rf"decision DECLINE  miss: computed by the model  {MILLISECONDS} \(cache [\d.]+ ms, model [\d.]+ ms\)  {tail}"
        hit = rf"decision DECLINE  hit in memory  {MILLISECONDS} \(cache [\d.]+ ms\)  {tail}"
        checks.check("request: the first is a miss, in one line", re.fullmatch(miss, answers[0][1]), answers[0])
        checks.check("request: the second is a hit in memory, in one line", re.fullmatch(hit, answers[1][1]), answers[1])

        output = run(REQUEST, URL=f"{url}/", ENDPOINT="/probabilities")[1]
        checks.check("request: ENDPOINT selects the endpoint", re.match(r"probability 0\.\d+  miss", output), output)
        output = run(REQUEST, "cache-control:no-cache", "x-request-id:order-4711", URL=url)[1]
        asked = "no lookup, because of cache-control" in output and output.endswith("request order-4711\n")
        checks.check("request: HEADER:VALUE is sent", asked, output)
        file = Path(folder, "application.json")
        file.write_text(json.dumps(APPLICATION | {"age_in_years": 64}))
        outputs = [run(REQUEST, "age_in_years=64", URL=url)[1], run(REQUEST, str(file), URL=url)[1]]
        checks.check("request: FIELD=VALUE changes the application", "  miss: " in outputs[0], outputs[0])
        checks.check("request: FILE.json is sent, and hits the same entry", "  hit in memory  " in outputs[1], outputs[1])
        output = run(REQUEST, URL=url, APPLICATION=json.dumps(APPLICATION | {"age_in_years": 64}))[1]
        checks.check("request: APPLICATION is sent", "  hit in memory  " in output, output)

        status, output, _ = run(REQUEST, 'age_in_years="30"', "personal_status_and_sex=male:single", URL=url)
        checks.equal("request: an error exits with 1", status, 1)
        lines = [
            "422 Invalid fields",
            "#/age_in_years  must be an integer from 18 to 120",
            "did you mean 30, without quotes?",
            "#/personal_status_and_sex  must be one of",
            'did you mean "male: single"?',
        ]
        places = [output.find(line) for line in lines]
        checks.check("request: and shows a suggestion for each field", -1 not in places and places == sorted(places), output)
        output = run(REQUEST, URL=url, ENDPOINT="decision")[1]
        checks.check(
            "request: for a wrong path, shows the closest one",
            "404 " in output and "did you mean /decisions?" in output,
            output,
        )

        status, text = run_on_terminal(REQUEST, URL=url)
        checks.check("request: has colours on a terminal", status == 0 and f"{COLOUR}32mhit in memory" in text, text)
        status, text = run_on_terminal(REQUEST, URL=url, NO_COLOR="1")
        checks.check("request: has none with NO_COLOR", "hit in memory" in text and COLOUR not in text, text)

        with FaultyProxy(url, ["503"]) as gateway:
            status, output, _ = run(REQUEST, URL=gateway.url)
        checks.check(
            "request: shows a gateway's own error", status == 1 and "503 " in output and "Unavailable" in output, output
        )
    status, output, errors = run(REQUEST, URL=url)
    checks.check(
        "request: says how to start a service that is not running", status == 2 and "make run" in errors, (status, errors)
    )
    status, output, errors = run(REQUEST, "no-such-file.json", URL=url)
    checks.check(
        "request: names an argument that it cannot interpret", status == 2 and "no-such-file.json" in errors, errors
    )


STARTED = r"Started Redis on 127\.0\.0\.1:(\d+) and the service on http://127\.0\.0\.1:(\d+), with a text model"
# The steps of the demo, in order.
STORY = {
    "starts a Redis and a service": STARTED,
    "a new ticket is a miss of ten milliseconds or more": r"\n1\. A new ticket.*\ntopic delivery  miss: computed by the model  \d\d+\.",
    "the same ticket is a hit in memory": r"\n2\. The same ticket again.*\ntopic delivery  hit in memory  ",
    "at another instance, it is a hit in Redis": r"\n3\. .*another instance.*\ntopic delivery  hit in Redis  ",
    "an equivalent ticket is a hit": r"\n4\. Other capitals.*\ntopic delivery  hit in memory  ",
    "mistakes are explained": r"\n5\. Two mistakes.*\n422 (.*\n  )+#/tiket  .*\n *did you mean ticket\?\n422 .*\n  #/ticket  must be a string",
    "without Redis, memory answers": r"\n6\. Redis .* killed.*\ntopic delivery  hit in memory  ",
    "and for other tickets the model": r"\ntopic billing  miss: the cache did not answer, ",
    "with Redis back, predictions are stored again": r"\n7\. Redis is back.*\ntopic account  miss: computed by the model  ",
    "the gain is shown by hit ratio": r"\n8\. What it brings.*\n without the cache  █+ [\d.]+ ms\n *0% repeated  (.*\n)+ *90% repeated  █+ [\d.]+ ms\n",
    "it prints its duration": r"\nThat took (\d+) seconds\. Every request was answered\.\n$",
}


def ports(text):
    """The ports of the demo's Redis and service."""
    return [int(port) for port in re.search(STARTED, text).groups()]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def check_demo(checks, binary):
    """The steps appear in order, and no process survives."""
    leftovers = {"BINARY": str(binary), "TMPDIR": tempfile.mkdtemp()}
    status, output, errors = run(DEMO, **leftovers, DEMO_PAUSE="0", NO_COLOR="1", ENDPOINT="none", REDIS_URL="redis://none")
    checks.check("demo: succeeds without errors", status == 0 and not errors, (status, errors))
    place = 0
    for promise, lines in STORY.items():
        found = re.search(lines, output[place:])
        checks.check(f"demo: {promise}", found, output)
        place += found.end() if found else 0
    means = {name: float(time) for name, time in re.findall(r"\n *(.*\S)  █+ ([\d.]+) ms", output)}
    checks.check("demo: repetitions pay", means["90% repeated"] < means["without the cache"] / 2, means)
    checks.check("demo: has no colours in a pipe", COLOUR not in output, output)
    checks.check("demo: its Redis and its service have ended", not any(map(listens, ports(output))), output)

    status, text = run_on_terminal(DEMO, **leftovers)
    checks.check("demo: has colours on a terminal", status == 0 and COLOUR in text and f"{COLOUR}32mhit in Redis" in text, text)
    seconds = re.search(r"That took (\d+) seconds", text)
    checks.check("demo: takes about ten seconds", seconds and 7 <= int(seconds[1]) <= 30, seconds and seconds[0])

    status, text = run_on_terminal(DEMO, interrupt_at="\r\n2. ", **leftovers, NO_COLOR="1")
    checks.check("demo: Ctrl-C stops it", status in (130, -signal.SIGINT) and "\n4. " not in text, (status, text))
    checks.check("demo: and its Redis and its service", not any(map(listens, ports(text))), text)
    checks.equal("demo: leaves no files behind", os.listdir(leftovers["TMPDIR"]), [])
    os.rmdir(leftovers["TMPDIR"])


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--binary", type=Path, required=True, help="the service binary")
    binary = arguments.parse_args().binary.resolve()
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        with checks.part("request"):
            check_request(checks, binary, folder)
        with checks.part("demo"):
            check_demo(checks, binary)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
