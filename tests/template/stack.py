"""scripts/stack and `make rollback` against moto's server, which keeps stacks, versions and aliases as AWS does. moto's Python runs it;
`run` starts it.
"""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402
from processes import free_port  # noqa: E402

TEMPLATE = {
    "Parameters": {"CacheLayout": {"Type": "String"}, "CacheNamespace": {"Type": "String", "Default": "predict-once"}},
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
        },
        "PredictOnce": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Code": {"ZipFile": "1"}, "Handler": "bootstrap", "Runtime": "python3.13", "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            },
        },
    },
    "Outputs": {"FunctionName": {"Value": {"Ref": "PredictOnce"}}},
}  # fmt: skip

checks = Checks()


def zipped(text):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("bootstrap", text)
    return file.getvalue()


def stack(*arguments):
    return subprocess.run([sys.executable, ROOT / "scripts/stack", *arguments], capture_output=True, text=True)


def version_of(client, function):
    return client.get_alias(FunctionName=function, Name="live")["FunctionVersion"]


def prove():
    missing = stack("parameters", "predict-once")
    checks.equal("no stack: no parameters", (missing.returncode, missing.stdout.strip()), (0, "{}"))
    none = stack("rollback", "predict-once")
    checks.check("no stack: exit status 1, one line", none.returncode == 1 and none.stderr.count("\n") == 1, none)

    given = [{"ParameterKey": "CacheLayout", "ParameterValue": "hash"}]
    boto3.client("cloudformation").create_stack(StackName="predict-once", TemplateBody=json.dumps(TEMPLATE), Parameters=given)
    read = json.loads(stack("parameters", "predict-once").stdout)
    checks.equal("a stack's parameters, with the defaults", read, {"CacheLayout": "hash", "CacheNamespace": "predict-once"})

    client = boto3.client("lambda")
    (function,) = (one["FunctionName"] for one in client.list_functions()["Functions"])
    for text in "123":
        client.update_function_code(FunctionName=function, ZipFile=zipped(text))
        published = client.publish_version(FunctionName=function)["Version"]
    checks.equal("an output", stack("output", "predict-once", "FunctionName").stdout.strip(), function)
    wrong = stack("output", "predict-once", "ApiUrl")
    checks.check("no such output: exit status 1, one line", wrong.returncode == 1 and wrong.stderr.count("\n") == 1, wrong)
    checks.equal("three versions", published, "3")
    client.create_alias(FunctionName=function, Name="live", FunctionVersion="3")

    done = stack("rollback", "predict-once")
    checks.check("a rollback says what it did", done.returncode == 0 and "from version 3 to 2" in done.stdout, done)
    checks.equal("it moves the alias to the previous version", version_of(client, function), "2")
    made = ["make", "--no-print-directory", "rollback", "VERSION=1"]
    done = subprocess.run(made, cwd=ROOT, capture_output=True, text=True)
    checks.check("make rollback VERSION=1 succeeds", done.returncode == 0, done)
    checks.equal("it moves the alias to this version", version_of(client, function), "1")
    for promise, arguments in (("no older version", []), ("no such version", ["7"])):
        done = stack("rollback", "predict-once", *arguments)
        checks.check(f"{promise}: exit status 1, one line", done.returncode == 1 and done.stderr.count("\n") == 1, done)
        checks.equal(f"{promise}: the alias stays", version_of(client, function), "1")


def main():
    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port)
    server.start()
    os.environ |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    os.environ |= {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_REGION": "eu-central-1"}
    try:
        with checks.part("scripts/stack"):
            prove()
    finally:
        server.stop()
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
