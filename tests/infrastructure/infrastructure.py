"""Compares deploy/cdk and deploy/terraform with the snapshots of template.yaml. `run` starts it.

usage: infrastructure.py NODE_FOLDER PROVIDER_TARBALL
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import hcl2
import yaml
from cfnlint.api import ManualArgs, lint

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402

CDK, TERRAFORM = ROOT / "deploy/cdk", ROOT / "deploy/terraform"
# The cases: the context of the CDK app, and the snapshot that has the same resources. Of that, what concerns the stack's operations
# (alarms, dashboard, gradual deployment) is left out.
CASES = {
    "a function URL and a table": ({"api": "url", "authorization": "iam", "cache": "dynamodb"}, "url-iam-dynamodb"),
    "an open function URL": ({"api": "url", "authorization": "none", "cache": "none", "reservedConcurrency": 20}, "url-open"),
    "an HTTP API and a table": ({"api": "http", "authorization": "iam", "cache": "dynamodb"}, "http-dynamodb"),
    "an HTTP API and a Redis": (
        {"api": "http", "authorization": "none", "cache": "redis", "redisUrl": "rediss://predict-once@redis.example.com:6380"},
        "http-cors-existing-cache",
    ),
}
REFUSED = [
    {"api": "rest"},
    {"authorization": "jwt"},
    {"cache": "redis"},
    {"cache": "none", "redisUrl": "redis://a"},
    {"api": "url", "authorization": "none"},
]
# Variables by which the service finds its cache.
CACHE_VARIABLES = {"CACHE_STORE", "DYNAMODB_TABLE", "REDIS_URL"}

checks = Checks()


def only(resources, kind):
    found = [resource["Properties"] for resource in resources.values() if resource["Type"] == kind]
    return found[0] if found else None


def actions(resources):
    """The actions of the function's role on its table."""
    policies = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::IAM::Policy"]
    for role in (one["Properties"] for one in resources.values() if one["Type"] == "AWS::IAM::Role"):
        policies += role.get("Policies", [])
    statements = [one for policy in policies for one in policy["PolicyDocument"]["Statement"]]
    listed = [action for one in statements for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])]
    return sorted(action for action in listed if action.startswith("dynamodb:"))


def essence(resources):
    """What has to be the same whichever tool creates it."""
    function, table, url = (only(resources, f"AWS::{kind}") for kind in ("Lambda::Function", "DynamoDB::Table", "Lambda::Url"))
    route = only(resources, "AWS::ApiGatewayV2::Route")
    variables = function["Environment"]["Variables"]
    return {
        "function": {key: str(function[key]) for key in ("Handler", "Runtime", "MemorySize", "Timeout")},
        "reserved": str(function.get("ReservedConcurrentExecutions", "")),
        "variables": sorted(variables.keys() & CACHE_VARIABLES),
        "redis": variables.get("REDIS_URL"),
        "table": table and {key: table[key] for key in ("BillingMode", "KeySchema", "AttributeDefinitions", "TimeToLiveSpecification")},
        "actions": actions(resources),
        "url": url and url["AuthType"],
        "route": route and (route["RouteKey"], route["AuthorizationType"]),
        "permissions": sorted(
            (one["Properties"]["Action"], one["Properties"]["Principal"])
            for one in resources.values()
            if one["Type"] == "AWS::Lambda::Permission"
        ),
    }


class Synthesis:
    """Runs the CDK app in a folder of its own."""

    def __init__(self, node, context):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            for file in CDK.glob("*.mjs"):
                shutil.copy(file, folder)
            (folder / "node_modules").symlink_to(Path(node).parent)
            (folder / "f.zip").write_text("a zip")
            variables = os.environ | {"CDK_OUTDIR": str(folder / "out"), "CDK_CONTEXT_JSON": json.dumps({"zip": "f.zip"} | context)}
            self.done = subprocess.run([f"{node}/node", "app.mjs"], cwd=folder, env=variables, capture_output=True, text=True)
            template = folder / "out/predict-once.template.json"
            self.text = template.read_text() if template.exists() else "{}"
        self.template = json.loads(self.text)


def prove_cdk(node):
    for name, (context, snapshot) in CASES.items():
        made = Synthesis(node, context)
        resources = made.template.get("Resources", {})
        checks.check(f"CDK, {name}: synthesised", resources, made.done.stderr)
        wanted = yaml.safe_load((ROOT / f"tests/template/snapshots/{snapshot}.yaml").read_text().split("\n---\n")[0])["Resources"]
        checks.equal(f"CDK, {name}: as template.yaml", essence(resources), essence(wanted))
        # W3005: CDK names dependencies that references already make.
        found = lint(made.text, config=ManualArgs(regions=["eu-central-1"], ignore_checks=["W3005"]))
        checks.check(f"CDK, {name}: cfn-lint finds nothing", not found, [match.message for match in found])
    for context in REFUSED:
        made = Synthesis(node, context)
        checks.check(f"CDK refuses {context}", made.done.returncode == 1 and "must be" in made.done.stderr or "require" in made.done.stderr)
    versions = json.loads((CDK / "package.json").read_text())["dependencies"]
    installed = {name: json.loads((Path(node).parent / name / "package.json").read_text())["version"] for name in versions}
    checks.equal("CDK: the versions of package.json are those tested", installed, versions)


def plain(value):
    """Without the quotes that python-hcl2 keeps around literal text."""
    if isinstance(value, dict):
        return {plain(key): plain(one) for key, one in value.items() if not str(key).startswith("__")}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value[1:-1] if isinstance(value, str) and re.fullmatch(r'"[^"]*"', value) else value


def declarations(provider, kinds):
    """The declarations of these resource types, read in one pass."""
    paths = {f"package/lib/{kind.removeprefix('aws_').replace('_', '-')}/index.d.ts": kind for kind in kinds}
    with tarfile.open(provider, "r|gz") as tar:
        return {paths[entry.name]: tar.extractfile(entry).read().decode() for entry in tar if entry.name in paths}


def declared(text):
    """The arguments of a resource type, its blocks' included, and those that it requires."""
    pairs = re.findall(r"\{@link \S+ \w+#(\w+)\}\s*(?:\*[^/]*)*\*/\s*readonly (\w+)(\??):", text)
    config = text.split("}\nexport", 1)[0]
    required = {name for name, _, optional in re.findall(r"\{@link \S+ \w+#(\w+)\}[^{]*?\*/\s*readonly (\w+)(\??):", config) if not optional}
    return {name for name, *_ in pairs}, required


def arguments(body):
    """The names of a block's arguments and of those of its blocks."""
    for name, value in body.items():
        if name in ("count", "lifecycle", "depends_on"):
            continue
        yield name
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for block in value:
                yield from arguments(block)


def prove_terraform(provider):
    files = {path.name: plain(hcl2.loads(path.read_text())) for path in sorted(TERRAFORM.glob("*.tf"))}
    resources = {}
    for file in files.values():
        for block in file.get("resource", []):
            for kind, named in block.items():
                resources |= {(kind, name): body for name, body in named.items()}
    texts = declarations(provider, {kind for kind, _ in resources})
    for (kind, name), body in resources.items():
        known, required = declared(texts[kind])
        used = set(arguments(body))
        checks.check(f"Terraform, {kind}.{name}: the provider knows {len(used)} arguments", used and not used - known, used - known)
        checks.check(f"Terraform, {kind}.{name}: nothing required is missing", not required - used, required - used)
    text = (TERRAFORM / "main.tf").read_text()
    names = {f"var.{name}" for block in files["variables.tf"]["variable"] for name in block}
    checks.equal("Terraform: the variables are those used", set(re.findall(r"\bvar\.\w+", text)), names)
    every = text + (TERRAFORM / "outputs.tf").read_text()
    references = set(re.findall(r"\b(aws_\w+)\.(\w+)[.\[]", every))
    checks.check("Terraform: references lead to resources", references and references <= resources.keys(), references - resources.keys())

    snapshot = yaml.safe_load((ROOT / "tests/template/snapshots/http-dynamodb.yaml").read_text().split("\n---\n")[0])["Resources"]
    wanted = essence(snapshot)
    function = resources["aws_lambda_function", "this"]
    made = {key: str(function[name]) for key, name in (("Handler", "handler"), ("Runtime", "runtime"), ("MemorySize", "memory_size"), ("Timeout", "timeout"))}
    checks.equal("Terraform: the function is that of template.yaml", made, wanted["function"])
    table = resources["aws_dynamodb_table", "cache"]
    (attribute,), (ttl,) = table["attribute"], table["ttl"]
    made = {
        "BillingMode": table["billing_mode"],
        "KeySchema": [{"AttributeName": table["hash_key"], "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": attribute["name"], "AttributeType": attribute["type"]}],
        "TimeToLiveSpecification": {"AttributeName": ttl["attribute_name"], "Enabled": ttl["enabled"]},
    }
    checks.equal("Terraform: the table is that of template.yaml", made, wanted["table"])
    checks.equal("Terraform: the role's rights on the table", sorted(set(re.findall(r"dynamodb:\w+", text))), wanted["actions"])
    variables = set(re.findall(r"\b([A-Z][A-Z_]+) += ", text))
    checks.equal("Terraform: the function's variables", variables, CACHE_VARIABLES | {"POWERTOOLS_SERVICE_NAME"})
    stage = snapshot["HttpStage"]["Properties"]["DefaultRouteSettings"]
    defaults = {name: body["default"] for block in files["variables.tf"]["variable"] for name, body in block.items() if "throttling" in name}
    limits = {"throttling_rate": stage["ThrottlingRateLimit"], "throttling_burst": stage["ThrottlingBurstLimit"]}
    checks.equal("Terraform: the throttle's defaults", {name: str(one) for name, one in defaults.items()}, {name: str(one) for name, one in limits.items()})


def main():
    node, provider = sys.argv[1:]
    with checks.part("CDK"):
        prove_cdk(node)
    with checks.part("Terraform"):
        prove_terraform(provider)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
