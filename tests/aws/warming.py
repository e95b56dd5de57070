"""The function of stacks/warming.yaml, which warms the cache: its code from the template, with the inputs in moto's S3 and the real binary
under AWS's runtime interface emulator as the version to warm. `run` starts it.

usage: warming.py EMULATOR
"""

import contextlib
import http.client
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import urllib.request
from pathlib import Path

import boto3
import yaml
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402
from processes import APPLICATION, binary, environment, free_port, process, redis, service, until  # noqa: E402

VERSION = "arn:aws:lambda:eu-central-1:123456789012:function:predict-once:8"
HOOK = "CodeDeployHook_predict-once"
PATHS = ("/decisions", "/probabilities", "/risk_categories")

checks = Checks()


class Template(yaml.SafeLoader):
    """Reads a template without its functions."""


Template.add_multi_constructor("!", lambda *_: None)
TEMPLATE = yaml.load((ROOT / "stacks/warming.yaml").read_text(), Template)
CODE = TEMPLATE["Resources"]["Hook"]["Properties"]["Code"]["ZipFile"]


class Context:
    def __init__(self, milliseconds=900_000):
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self):
        return self.milliseconds


@contextlib.contextmanager
def version(emulator, **settings):
    """The binary as a function; yields what sends it an event and returns the answer's bytes."""
    port, api_port = free_port(), free_port()
    command = [emulator, "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    command += ["--runtime-api-address", f"127.0.0.1:{api_port}", binary()]

    def invoke(event):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.closing(connection):
            connection.request("POST", "/2015-03-31/functions/function/invocations", event)
            return connection.getresponse().read()

    with process(command, env=environment(AWS_LAMBDA_FUNCTION_NAME="predict-once", **settings)) as (child, _):
        until(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None, "the emulator listens", of=child)
        yield invoke


class Apis(http.server.BaseHTTPRequestHandler):
    """Lambda's and CodeDeploy's APIs. A class attribute for each test: the version, and what is asked of the APIs."""

    version = None
    hook = None
    events = ()
    reported = ()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("x-amz-target") == "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus":
            Apis.reported.append(json.loads(body))
            answer, error = b"{}", None
        else:
            function = urllib.parse.unquote(self.path.split("/")[3])
            answered = {VERSION: Apis.version, HOOK: Apis.hook}[function](body)
            answer, error = answered if isinstance(answered, tuple) else (answered, None)
            Apis.events.append(json.loads(body))
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        if error:
            self.send_header("x-amz-function-error", error)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def hook():
    """The handler of the template's code."""
    module = {}
    exec(compile(CODE, "index.py", "exec"), module)  # noqa: S102
    return module["handler"]


def run(event, context=None):
    Apis.events, Apis.reported = [], []
    try:
        return hook()(event, context or Context())
    except RuntimeError as error:
        return str(error)


def upload(*lines):
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"]).put_object(Bucket="models", Key="inputs.jsonl", Body=text.encode())


def post(port, path, body):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.headers["cache-status"].removeprefix("predict-once; ")


def prove_warming(emulator):
    deployment = {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e-1"}
    people = [APPLICATION | {"age_in_years": age} for age in range(18, 88)]
    upload(*people[:40], "", APPLICATION | {"age_in_years": -1}, *people[40:])
    with redis() as store:
        settings = {"REDIS_URL": store.url, "CACHE_READ_TIMEOUT_MS": "5000", "CACHE_WRITE_TIMEOUT_MS": "5000"}
        with version(emulator, **settings) as invoke:
            Apis.version = staticmethod(invoke)
            checks.equal("70 of 71 inputs are valid", run(deployment), {"inputs": 71, "refused": 1, "complete": True})
            succeeded = {"deploymentId": "d-1", "lifecycleEventHookExecutionId": "e-1", "status": "Succeeded"}
            checks.equal("CodeDeploy is told", Apis.reported, [succeeded])
            sizes = [len(event["input"]) for event in Apis.events if event.get("prediction") == "/decisions"]
            checks.check("batches grow", sizes[0] == 10 and 10 < max(sizes) <= 100, sizes)
            checks.equal("an entry for each input and prediction", int(store.command("DBSIZE")), 70 * len(PATHS))
            again = run({})
            checks.equal("again, by hand: the same, and CodeDeploy is not told", (again["refused"], Apis.reported), (1, []))
        with service(binary(), **settings) as (port, _):
            found = {post(port, path, person) for path in PATHS for person in (people[0], people[-1])}
            checks.equal("another environment finds all of it in the cache", found, {"hit; detail=redis"})


def prove_failures(emulator):
    deployment = {"DeploymentId": "d-2", "LifecycleEventHookExecutionId": "e-2"}

    def failed(what, **context):
        result = run(deployment, **context)
        told = [one["status"] for one in Apis.reported]
        checks.check(f"{what}: the deployment fails", isinstance(result, str) and told == ["Failed"], (result, told))

    upload(APPLICATION)
    Apis.version = staticmethod(lambda _: (b'{"errorType": "Runtime.ExitError", "errorMessage": "exit status 1"}', "Unhandled"))
    failed("the version does not start")
    with version(emulator) as invoke:
        slow = []

        def times_out(event):
            """As a version whose model is too slow for more than two inputs within its Timeout."""
            count = len(json.loads(event).get("input", ()))
            slow.append(count)
            return (b'{"errorMessage": "Task timed out"}', "Unhandled") if count > 2 else invoke(event)

        upload(*[APPLICATION] * 9)
        Apis.version = staticmethod(times_out)
        checks.equal("batches that take too long are halved", run(deployment), {"inputs": 9, "refused": 0, "complete": True})
        checks.check("down to two inputs and fewer", max(slow) == 9 and 2 in slow, slow)
        stopped = run(deployment, Context(59_000))
        checks.equal("without time, it stops, which is no failure", stopped, {"inputs": 0, "refused": 0, "complete": False})
        checks.equal("CodeDeploy is told so", [one["status"] for one in Apis.reported], ["Succeeded"])
        Apis.version = staticmethod(lambda event: b'{"status": 500}' if b"input" in event else invoke(event))
        failed("the model fails")


def prove_command():
    """`make warm` prints what the function did."""
    outputs = {"WarmingFunction": {"Value": HOOK}}
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs}
    cloudformation = boto3.client("cloudformation", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    cloudformation.create_stack(StackName="predict-once", TemplateBody=json.dumps(template))

    def make(answer):
        Apis.events, Apis.hook = [], staticmethod(lambda _: answer)
        command = ["make", "--no-print-directory", "warm"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    done = make(b'{"inputs": 7, "refused": 1, "complete": false}')
    expected = "7 inputs asked about, 1 refused; the time limit came before the end of the file\n"
    checks.equal("make warm says what it did", (done.returncode, done.stdout), (0, expected))
    done = make((b'{"errorMessage": "the version does not answer"}', "Unhandled"))
    checks.check("make warm fails in one line", done.returncode != 0 and "the version does not answer\n" in done.stderr, done)


def main():
    server, port = ThreadedMotoServer("127.0.0.1", 0), free_port()
    server.start()
    apis = http.server.ThreadingHTTPServer(("127.0.0.1", port), Apis)
    threading.Thread(target=apis.serve_forever, daemon=True).start()
    moto = "http://{}:{}".format(*server.get_host_and_port())
    os.environ |= {
        "AWS_ENDPOINT_URL": moto, "AWS_ENDPOINT_URL_S3": moto, "AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true", "VERSION": VERSION, "FILE": "s3://models/inputs.jsonl",
    } | {f"AWS_ENDPOINT_URL_{name}": f"http://127.0.0.1:{port}" for name in ("LAMBDA", "CODEDEPLOY")}  # fmt: skip
    boto3.client("s3").create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    checks.check("the code fits into a template", len(CODE) <= 4096, len(CODE))
    with tempfile.TemporaryDirectory() as folder:
        # SAM's package includes the emulator as a data file, which may not be executable.
        emulator = Path(shutil.copy(sys.argv[1], folder))
        emulator.chmod(0o755)
        for prove, arguments in ((prove_warming, [emulator]), (prove_failures, [emulator]), (prove_command, [])):
            with checks.part(prove.__name__):
                prove(*arguments)
    server.stop()
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
