"""The store in DynamoDB against moto's, which checks each request's signature with botocore and the caller's rights: with the table and the
rights that template.yaml creates. Faults are tested in Rust (tests/cache/dynamodb.rs). `run` starts it.
"""

import json
import os
import sys
import time
import urllib.request
from pathlib import Path

import boto3
import yaml
from moto.server import ThreadedMotoServer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402
from processes import APPLICATION, binary, service, until  # noqa: E402

REGION = "eu-central-1"
TABLE = "predict-once-CacheTable-1"
SNAPSHOT = yaml.safe_load((ROOT / "tests/template/snapshots/http-dynamodb.yaml").read_text().split("\n---\n")[0])["Resources"]

checks = Checks()


def post(port, body):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/decisions", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.headers["cache-status"].removeprefix("predict-once; "), response.read()


def rights():
    """The actions that the function's role may take on the table. moto checks actions only, as if on all resources."""
    policies = SNAPSHOT["FunctionRole"]["Properties"]["Policies"]
    (cache,) = (policy["PolicyDocument"] for policy in policies if policy["PolicyName"] == "cache")
    (statement,) = cache["Statement"]
    assert statement["Resource"] == {"Fn::GetAtt": ["CacheTable", "Arn"]}, statement
    return cache | {"Statement": [statement | {"Resource": "*"}]}


def user(client, name, policy):
    """The credentials of a new user with these rights."""
    client.create_user(UserName=name)
    client.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(policy))
    key = client.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def prove(endpoint, program):
    def client(name, credentials):
        return boto3.client(
            name, region_name=REGION, endpoint_url=endpoint, aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    nobody = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    iam, anything = client("iam", nobody), {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    administrator, function = user(iam, "administrator", anything), user(iam, "function", rights())
    stranger = user(iam, "stranger", {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
    # From now on, each request needs a valid signature and rights.
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset-auth", b"0", {"content-type": "text/plain"}))

    dynamodb = client("dynamodb", administrator)
    properties = dict(SNAPSHOT["CacheTable"]["Properties"])
    time_to_live = properties.pop("TimeToLiveSpecification")
    dynamodb.create_table(TableName=TABLE, **properties)
    dynamodb.update_time_to_live(TableName=TABLE, TimeToLiveSpecification=time_to_live)

    settings = {
        "CACHE_STORE": "dynamodb", "DYNAMODB_TABLE": TABLE, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": endpoint,
        "MEMORY_CACHE_ENTRIES": "0", "CACHE_READ_TIMEOUT_MS": "10000", "CACHE_WRITE_TIMEOUT_MS": "10000", "CACHE_TTL_SECONDS": "1000",
    }  # fmt: skip

    def stored(number):
        found = lambda: dynamodb.scan(TableName=TABLE)["Items"]  # noqa: E731
        return until(lambda: len(items := found()) == number and items, f"{number} items")

    with service(program, **settings, **function) as (port, _):
        first = post(port, APPLICATION)
        checks.equal("with the template's rights: first a miss", first[0], "fwd=miss")
        (item,) = stored(1)
        checks.check("the key is legible", item["key"]["S"].startswith("predict-once:") and ":decision:" in item["key"]["S"], item)
        checks.check("the value ends in a digest", item["value"]["B"].startswith(b"DECLINE#"), item)
        lives = int(item[time_to_live["AttributeName"]]["N"]) - time.time()
        checks.check("it expires within 10 % of the time to live", 800 < lives < 1100, lives)
        array = [APPLICATION | {"age_in_years": age, "foreign_worker": foreign} for age in range(18, 118) for foreign in ("yes", "no")]
        many = post(port, array)
        # One of them is stored already.
        checks.check("an array of 200", many[0] == 'fwd=partial; detail="hit=1 miss=199"', many[0])
        stored(200)
    with service(program, **settings, **function) as (port, _):
        checks.equal("another process: a hit, with the same answer", post(port, APPLICATION), ("hit; detail=dynamodb", first[1]))
        checks.equal("and the array", post(port, array), ("hit; detail=dynamodb", many[1]))

    refusals = {
        "a wrong secret": (function | {"AWS_SECRET_ACCESS_KEY": "wrong"}, settings),
        "a user without rights": (stranger, settings),
        "another table": (function, settings | {"DYNAMODB_TABLE": "another"}),
    }
    for what, (credentials, variables) in refusals.items():
        with service(program, **variables, **credentials) as (port, log):
            checks.equal(f"{what}: the model answers", post(port, APPLICATION), ("fwd=miss; detail=unavailable", first[1]))
            line = until(lambda: [line for line in log.read_text().splitlines() if "probing it once per second" in line], "a warning")[0]
            checks.check(f"{what}: the log says why", "access refused (" in line, line)


def main():
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    program = binary()
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with checks.part("DynamoDB"):
            prove(f"http://{host}:{port}", program)
    finally:
        server.stop()
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
