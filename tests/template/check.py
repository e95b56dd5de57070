"""Checks template.yaml without AWS: what each configuration creates, what is refused, and who may do what. `run` starts it.

usage: check.py DIRECTORY [--update]

Writes the transformed template of each named configuration into DIRECTORY, for other tools. --update writes the snapshots.
"""

import difflib
import functools
import itertools
import json
import os
import re
import sys
from pathlib import Path

import yaml
from cfnlint.api import ManualArgs, lint
from cloudformation import Refused, load, stacks, transformed

HERE = Path(__file__).resolve().parent
SNAPSHOTS = HERE / "snapshots"

sys.path.insert(0, str(HERE.parent / "support"))
from checks import Checks  # noqa: E402
from redis_rights import needs  # noqa: E402

HEADER = "# What template.yaml creates in this configuration of configurations.yaml. Written by `tests/regenerate snapshots`.\n"
VPC = {"VpcId": "vpc-0123456789abcdef0", "SubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1"}
GROUP = {"SecurityGroupId": "sg-0123456789abcdef0"}
URL = {"Cache": "url", "RedisUrl": "rediss://a@redis.example.com"}
ALARMS = {"AlarmEmail": "team@example.com", "MinimumHitPercent": "40", "MaximumModelMilliseconds": "5"}

# Each way to answer a question, for the combinations.
APIS = [
    {},
    {"Authorization": "iam"},
    {"Authorization": "jwt", "JwtIssuer": "https://login.example.com", "JwtAudience": "a"},
    {"ApiType": "rest"},
    {"ApiType": "rest", "Authorization": "iam"},
    {"ApiType": "rest", "Authorization": "api-key"},
]
CACHES = [
    {},
    URL,
    URL | {"SubnetIds": VPC["SubnetIds"], "RedisPasswordSecret": "a"} | GROUP,
    *({"Cache": kind} | network for kind in ("serverless", "nodes") for network in ({}, VPC, VPC | GROUP)),
]
REST = [
    {"Deployment": deployment, "Tracing": tracing, "AccessLogRetentionDays": days, "CorsAllowedOrigins": origins} | alarms
    for deployment, origins in (("AllAtOnce", ""), ("Canary10Percent5Minutes", "*"))
    for tracing in ("false", "true")
    for days, alarms in (("0", {}), ("30", ALARMS))
]

# Parameters whose values do not fit into a description: docs/aws.md says that they need a new Release.
NEED_RELEASE = {
    "CollectorLayerArn", "CorsAllowedOrigins", "ModelDir", "ModelLayerArn", "RedisCluster", "RedisPasswordSecret", "RedisUrl",
    "SecurityGroupId", "SubnetIds", "VpcId",
}  # fmt: skip

checks = Checks()


def text_of(template):
    return yaml.safe_dump(template, sort_keys=True, width=130)


def readable(template):
    """Without metadata, and with the titles of a dashboard's widgets in place of its text."""
    resources = {}
    for name, resource in template["Resources"].items():
        resources[name] = {key: value for key, value in resource.items() if key != "Metadata"}
        if body := resource.get("Properties", {}).get("DashboardBody"):
            titles = [widget["properties"]["title"] for widget in json.loads(body["Fn::Sub"])["widgets"]]
            resources[name]["Properties"] = resource["Properties"] | {"DashboardBody": titles}
    return template | {"Resources": resources}


def prove_snapshots(configurations, directory, update):
    for name, parameters in configurations.items():
        templates = stacks(parameters)
        for stack, template in templates.items():
            (directory / f"{name}.{stack}.yaml").write_text(text_of(template))
        wanted = HEADER + "---\n".join(text_of(readable(template)) for template in templates.values())
        path = SNAPSHOTS / f"{name}.yaml"
        if update:
            path.write_text(wanted)
        there = path.read_text() if path.exists() else ""
        difference = difflib.unified_diff(there.splitlines(), wanted.splitlines(), "snapshot", "template.yaml", lineterm="", n=6)
        checks.check(f"{name}: the snapshot is up to date", there == wanted, "\n" + "\n".join(difference))
    for path in SNAPSHOTS.glob("*.yaml"):
        if update and path.stem not in configurations:
            path.unlink()
    names = {path.stem for path in SNAPSHOTS.glob("*.yaml")}
    checks.equal("each snapshot is of a configuration", names, set(configurations))


def prove_refusals(refused):
    tested = set()
    for case in refused:
        try:
            transformed(case["parameters"])
            by = None
        except Refused as refusal:
            by = refusal.by
        tested.add(by)
        checks.equal(f"refused by {case['by']}: {case['parameters']}", by, case["by"])
    untested = load()["Rules"].keys() - tested
    checks.check("each rule refuses something", not untested, untested)


def linted(text):
    """What cfn-lint finds in a transformed template."""
    found = lint(text, config=ManualArgs(regions=["eu-central-1"]))
    return "".join(f"\n{match.rule.id} {match.message}" for match in found)


def prove_combinations():
    """Each API with each cache, the rest in turn: everything has all its references, and cfn-lint finds nothing."""
    others = itertools.cycle(REST)
    layouts = itertools.cycle(("string", "hash", "output"))
    count = 0
    found_in = functools.cache(linted)  # Many have the same stacks in them.
    for api, cache in itertools.product(APIS, CACHES):
        parameters = api | cache | next(others) | {"CacheLayout": next(layouts)}
        templates = stacks(parameters)
        count += 1
        for stack, template in templates.items():
            if found := found_in(text_of(template)):
                checks.check(f"cfn-lint: {stack} {parameters}", False, found)
        prove_least_privilege(templates, parameters)
        prove_preflight(templates, parameters)
    checks.check(f"{count} combinations transformed and linted", count == len(APIS) * len(CACHES), count)
    # A linter that finds nothing anywhere would be none.
    broken, _ = transformed({})
    broken["Resources"]["HttpStage"]["Properties"]["ApiId"] = {"Ref": "Nothing"}
    checks.check("cfn-lint finds a mistake", linted(text_of(broken)))


def is_json(text):
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def empty(node, path=""):
    """Where an entry or a list has lost everything to conditions."""
    if node in ({}, []):
        yield path
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from empty(value, f"{path}/{key}")


def statements(resources):
    """All policy statements of roles and policies, except who may assume a role."""
    for resource in resources.values():
        properties = resource.get("Properties", {})
        policies = properties.get("Policies", []) if resource["Type"] == "AWS::IAM::Role" else []
        if resource["Type"] == "AWS::IAM::Policy":
            policies = [properties]
        for policy in policies:
            yield from policy["PolicyDocument"]["Statement"]


def must_for(parameters):
    """Checks that fail one by one, so that hundreds of combinations print nothing."""

    def must(promise, kept, seen):
        if not kept:
            checks.check(f"{promise}: {parameters}", False, seen)

    return must


def resources_of(templates):
    return {name: one for template in templates.values() for name, one in template["Resources"].items()}


def prove_least_privilege(templates, parameters):
    must, resources = must_for(parameters), resources_of(templates)
    cache = parameters.get("Cache", "none")
    created = cache in ("serverless", "nodes")
    connects = []
    for statement in statements(resources):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        must("no action has a wildcard", not any("*" in action for action in actions), actions)
        if statement["Resource"] == "*":
            free = all(action.startswith(("xray:Put", "ec2:")) for action in actions)
            must("only X-Ray and Lambda's network interfaces are for all resources", free, actions)
        if "elasticache:Connect" in actions:
            connects.append(statement["Resource"])
    must("one statement connects to a created cache", len(connects) == created, connects)
    if created:
        must("it names the cache and the user", len(connects[0]) == 2 and "*" not in str(connects), connects)

    types = {resource["Type"] for resource in resources.values()}
    ways_out = {f"AWS::EC2::{kind}" for kind in ("NatGateway", "InternetGateway", "Route", "VPCEndpoint")} & types
    must("there is no way out of the network", not ways_out, ways_out)
    stages = [resource["Properties"] for resource in resources.values() if resource["Type"].endswith("::Stage")]
    logs = [stage.get("AccessLogSettings") or stage.get("AccessLogSetting") for stage in stages]
    must("there is an access log if asked for", bool(logs[0]) == (parameters["AccessLogRetentionDays"] != "0"), logs)
    must("its lines are JSON", all(is_json(log["Format"]) for log in logs if log), logs)
    must("nothing is left empty", not list(empty(templates)), list(empty(templates)))
    if created:
        user = resources["CacheUser"]["Properties"]["AccessString"].split()
        layout, in_cluster = parameters["CacheLayout"], cache == "serverless"
        measured = needs("requests", layout, in_cluster) | needs("arrays", layout, in_cluster)
        must("the user has its namespace", user[:3] == ["on", "~predict-once:*", "-@all"], user)
        must("the user has what tests/redis_acl measures", set(user[3:]) == measured, (user[3:], measured))


def prove_preflight(templates, parameters):
    """Only with pages of other origins, and only OPTIONS, may somebody unknown reach a function that asks for authorisation."""
    must, resources = must_for(parameters), resources_of(templates)
    authorised = parameters.get("Authorization", "none") != "none"
    expected = authorised and parameters["CorsAllowedOrigins"] != ""
    ways = [one["Properties"] for one in resources.values() if one["Type"] in ("AWS::ApiGateway::Method", "AWS::ApiGatewayV2::Route")]
    free = [way for way in ways if way["AuthorizationType"] == "NONE" and not way.get("ApiKeyRequired")]
    if authorised:
        names = [way.get("RouteKey", way.get("HttpMethod")).split()[0] for way in free]
        must("what needs no authorisation is OPTIONS, for pages", names == ["OPTIONS"] * expected, free)
    deployments = {name: one for name, one in resources.items() if one["Type"] == "AWS::ApiGateway::Deployment"}
    if parameters.get("ApiType") == "rest":
        must("there is one deployment", len(deployments) == 1, deployments)
        (name,) = deployments
        methods = {name for name, one in resources.items() if one["Type"] == "AWS::ApiGateway::Method"}
        waits = deployments[name]["DependsOn"]
        must("it has all methods", set([waits] if isinstance(waits, str) else waits) == methods, waits)
        must("the stage serves it", resources["RestStage"]["Properties"]["DeploymentId"] == {"Ref": name}, resources["RestStage"])
        must("and no other has its name", ("Preflight" in name) == expected, name)
    else:
        sources = [one["Properties"]["SourceArn"]["Fn::Sub"] for one in resources.values() if one["Type"] == "AWS::Lambda::Permission"]
        must("the gateway may invoke for each route", len(sources) == len(ways), sources)


def prove_versions():
    """The alias moves to a new version, as far as a change concerns the function."""

    def seen(**parameters):
        template, ids = transformed(parameters)
        resources = template["Resources"]
        function = resources["PredictOnce"]["Properties"]
        described = resources["PredictOnceVersion"]["Properties"]["Description"]
        # Lambda publishes no version of a function that has not changed.
        if function["Description"] != described:
            checks.check("the function has its version's description", False, (function["Description"], described))
        return function, (ids["VersionId"], described)

    changes = {
        "Architecture": "x86_64", "Cache": "serverless", "CacheLayout": "hash", "CacheNamespace": "a", "CacheStrategy": "auto",
        "CacheTtlSeconds": "60", "CorsAllowedOrigins": "*", "LogLevel": "debug", "MemoryCacheEntries": "5", "MemorySize": "1024",
        "ModelDir": "/var/task/model", "ModelLayerArn": "arn:aws:lambda:eu-central-1:123456789012:layer:a:1", "Release": "2",
        "CollectorLayerArn": "arn:aws:lambda:eu-central-1:123456789012:layer:b:1",
        "Tracing": "true", "RedisUrl": "redis://b", "RedisPasswordSecret": "b", "RedisCluster": "true",
    }  # fmt: skip
    for name, value in changes.items():
        base = {"Cache": "url", "RedisUrl": "redis://a"} if "Redis" in name or "Cache" in name else {}
        changed = base | ({"Cache": value, "RedisUrl": ""} if name == "Cache" else {name: value})
        (function, version), (after, new_version) = seen(**base), seen(**changed)
        bare = {key: value for key, value in after.items() if key != "Description"}
        concerns = name == "Release" or bare != {key: value for key, value in function.items() if key != "Description"}
        checks.check(f"{name} concerns the function", concerns)
        checks.equal(f"{name} publishes a version by itself, or is known not to", new_version != version, name not in NEED_RELEASE)
    _, (_, longest) = seen(
        Release="r" * 40, MemorySize="10240", Architecture="x86_64", Cache="serverless", CacheStrategy="lookup_first",
        CacheTtlSeconds="31536000", MemoryCacheEntries="10000000", CacheNamespace="n" * 64, LogLevel="debug", Tracing="false",
    )  # fmt: skip
    checks.check("the longest description has at most 256 characters, which Lambda allows", len(longest) <= 256, len(longest))


def prove_documented():
    page = (HERE.parents[1] / "docs/aws.md").read_text()
    missing = [name for name in load()["Parameters"] if f"`{name}`" not in page]
    checks.check("docs/aws.md has every parameter", not missing, missing)
    told = re.search(r"The others do not fit\s+into it: (.*?)\. `make", page, re.DOTALL)
    named = set(re.findall(r"`(\w+)`", told[1])) if told else set()
    checks.equal("docs/aws.md names the parameters that need a new Release", named, NEED_RELEASE)


def main():
    directory, update = Path(sys.argv[1]), "--update" in sys.argv[2:]
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
    configurations = yaml.safe_load((HERE / "configurations.yaml").read_text())
    prove_snapshots(configurations["accepted"], directory, update)
    if not update:
        prove_refusals(configurations["refused"])
        prove_combinations()
        prove_versions()
        prove_documented()
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
