"""`MODEL_URI` against moto's S3, which checks each request's signature and the caller's rights. `run` starts it."""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402
from dynamodb import REGION, user  # noqa: E402
from processes import binary, environment, service  # noqa: E402

PENGUINS = ROOT / "tests/packages/penguins"
BUCKET = "models"

checks = Checks()


def archive(folder="", compression="", padding=0):
    """A package as an archive, with a file of random bytes that makes it larger."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=f"w:{compression}") as tar:
        for path in sorted(PENGUINS.glob("model.*")):
            tar.add(path, arcname=f"{folder}{path.name}")
        if padding:
            entry = tarfile.TarInfo(f"{folder}padding")
            entry.size = padding
            tar.addfile(entry, io.BytesIO(os.urandom(padding)))
    return file.getvalue()


def prove(endpoint, program):
    def client(name, credentials):
        return boto3.client(
            name, region_name=REGION, endpoint_url=endpoint, aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    def rights(*statements):
        return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": one, "Resource": "*"} for one in statements]}

    iam = client("iam", {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
    administrator, reader, stranger = (user(iam, name, rights(right)) for name, right in (
        ("administrator", "*"), ("reader", "s3:GetObject"), ("stranger", "dynamodb:BatchGetItem"),
    ))  # fmt: skip
    # From now on, each request needs a valid signature and rights.
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset-auth", b"0", {"content-type": "text/plain"}))
    s3 = client("s3", administrator)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})

    def settings(key, credentials=reader, **more):
        return {"AWS_REGION": REGION, "AWS_ENDPOINT_URL": endpoint, "MODEL_URI": f"s3://{BUCKET}/{key}"} | credentials | more

    def model(**variables):
        """The model that a service serves, and the milliseconds until it listens."""
        began = time.monotonic()
        with service(program, **variables) as (port, _):
            took = (time.monotonic() - began) * 1000
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json", timeout=30) as response:
                return json.load(response)["info"]["title"], took

    expected, _ = model(MODEL_DIR=str(PENGUINS))
    keys = {"a/package.tar": archive(), "in-a-folder.tar": archive("penguins/"), "compressed.tar.gz": archive("penguins/", "gz")}
    for key, body in keys.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body, ChecksumAlgorithm="SHA256")
        checks.equal(f"{key} is served", model(**settings(key))[0], expected)
    with tempfile.TemporaryDirectory() as temporary:
        model(**settings("a/package.tar", TMPDIR=temporary))
        checks.equal("a local server leaves no files", list(Path(temporary).iterdir()), [])

    def refused(what, why, variables):
        done = subprocess.run([program], env=environment(PORT="0", **variables), capture_output=True, text=True, timeout=90)
        told = done.returncode == 1 and why in done.stderr and done.stderr.count("\n") == 1
        checks.check(f"{what}: the start is refused, and one line says why", told, (done.returncode, done.stderr))

    s3.put_object(Bucket=BUCKET, Key="garbage", Body=b"PK a zip")
    s3.put_object(Bucket=BUCKET, Key="empty.tar", Body=b"\0" * 10240)
    refused("no such object", "MODEL_URI: s3://models/none: S3 answered 404", settings("none"))
    refused("no rights", "S3 answered 403", settings("a/package.tar", stranger))
    refused("a wrong secret", "S3 answered 403", settings("a/package.tar", reader | {"AWS_SECRET_ACCESS_KEY": "wrong"}))
    refused("no credentials", "no AWS credentials", settings("a/package.tar", {}))
    refused("no archive", "cannot unpack the archive", settings("garbage"))
    refused("an archive without a package", "has no model.toml", settings("empty.tar"))
    refused("another fingerprint", "MODEL_FINGERPRINT is", settings("a/package.tar", MODEL_FINGERPRINT="0123456789abcdef"))

    for megabytes in (1, 50):
        s3.put_object(Bucket=BUCKET, Key="large.tar", Body=archive(padding=megabytes << 20))
        print(f"# {megabytes} MB from the emulator: {model(**settings('large.tar'))[1]:.0f} ms until it listens", flush=True)
    print(f"# from a directory: {model(MODEL_DIR=str(PENGUINS))[1]:.0f} ms", flush=True)


def main():
    program = binary()
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with checks.part("S3"):
            prove(f"http://{host}:{port}", program)
    finally:
        server.stop()
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
