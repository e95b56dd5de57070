"""Copies of the service as Lambda functions, each under a small Runtime API of its own in this process."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/support"))
from processes import APPLICATION, ROOT, environment

NEXT = b"/2018-06-01/runtime/invocation/next"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
EMPLOYMENTS = ["unemployed", "... < 1 year", "1 <= ... < 4 years", "4 <= ... < 7 years", "... >= 7 years"]


def application(n):
    """The nth of 4,120 different inputs of the model that ships."""
    return APPLICATION | {
        "installment_rate_in_percentage_of_disposable_income": (0.1, 0.22, 0.3, 0.5)[n // 103 % 4],
        "age_in_years": 18 + n % 103,
        "foreign_worker": ("yes", "no")[n // 412 % 2],
        "present_employment_since": EMPLOYMENTS[n // 824 % 5],
    }


def event(n, headers=None):
    """The event of an HTTP API for that input, ready to be sent as the answer to `/next`."""
    template = json.loads((ROOT / "events/http-api.json").read_text())
    template["body"] = json.dumps(application(n))
    template["headers"] |= headers or {}
    body = json.dumps(template).encode()
    deadline = int(time.time() * 1000) + 600_000
    head = (
        f"HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: {n}\r\nlambda-runtime-deadline-ms: {deadline}\r\n"
        "lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-central-1:123456789012:function:predict-once\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Answer:
    """What the function gave to its gateway, and how long that took."""

    def __init__(self, number, payload, seconds):
        self.number = number
        self.seconds = seconds
        self.payload = json.loads(payload)
        self.status = self.payload.get("statusCode")
        self.body = self.payload.get("body")
        headers = {name: values[0] for name, values in (self.payload.get("multiValueHeaders") or {}).items()}
        self.outcome = (headers | (self.payload.get("headers") or {})).get("cache-status", "none")


class Function:
    """A copy. It gets its events one after the other, as soon as it asks."""

    def __init__(self):
        self.events = []
        self.answers = []
        self.waiting = None
        self.sent = None
        self.process = None
        self.server = None
        self.asked = asyncio.Event()
        self.idle = asyncio.Event()

    async def start(self, program, variables):
        self.server = await asyncio.get_running_loop().create_server(lambda: Connection(self), "127.0.0.1", 0)
        address = f"127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        variables = environment(
            AWS_LAMBDA_RUNTIME_API=address,
            AWS_LAMBDA_FUNCTION_NAME="predict-once",
            AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512",
            AWS_LAMBDA_FUNCTION_VERSION="$LATEST",
            **variables,
        )
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([program], env=variables, **quiet)

    def give(self, events):
        """Events as (number, bytes) to be handled from now on."""
        self.events = list(reversed(events))
        self.idle.clear()
        if self.waiting:
            self.next(self.waiting)

    def next(self, transport):
        self.asked.set()
        if not self.events:
            self.waiting = transport
            self.idle.set()
            return
        self.waiting = None
        number, event = self.events.pop()
        self.sent = (number, time.perf_counter())
        transport.write(event)

    def answered(self, payload):
        number, sent = self.sent
        self.answers.append((number, payload, time.perf_counter() - sent))

    def take(self):
        """The answers so far, read now: not while others are waited for."""
        answers, self.answers = self.answers, []
        return [Answer(*answer) for answer in answers]

    def cpu_seconds(self):
        """The processor time of all its threads."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        return sum(int((tasks / task / "schedstat").read_text().split()[0]) for task in os.listdir(tasks)) / 1e9

    def end(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        if self.server:
            self.server.close()


class Connection(asyncio.Protocol):
    """The connection of a function to its Runtime API."""

    def __init__(self, function):
        self.function = function
        self.received = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if b"transfer-encoding" in head:
                raise ValueError("the Runtime API of this bench reads no chunks")
            if len(self.received) < end + 4 + length:
                return
            body, self.received = self.received[end + 4 : end + 4 + length], self.received[end + 4 + length :]
            if head.startswith(b"get " + NEXT):
                self.function.next(self.transport)
            else:
                # A response, or the report of an error, which has no status and counts as an error.
                self.function.answered(body)
                self.transport.write(ACCEPTED)
