"""Checks the edit of template.yaml for Managed Instances that docs/aws.md describes: with it, SAM transforms the template and cfn-lint
finds nothing; SAM refuses an incomplete edit. `run` starts it.
"""

import re
import sys

import cloudformation
import yaml
from cfnlint.api import ManualArgs, lint
from samtranslator.model.exceptions import InvalidDocumentException

sys.path.insert(0, str(cloudformation.ROOT / "tests/support"))
from checks import Checks  # noqa: E402

checks = Checks()
load = cloudformation.load


def edited_with(added, removed):
    """A replacement for `load` that applies the edit to template.yaml."""

    def edited(*path):
        template = load(*path)
        if function := template["Resources"].get("PredictOnce"):
            kept = {name: value for name, value in function["Properties"].items() if name not in removed}
            function["Properties"] = kept | added
        return template

    return edited


def transformed(added, removed):
    cloudformation.load = edited_with(added, removed)
    template, _ = cloudformation.transformed({"MemorySize": "2048"})
    return template


def main():
    page = (cloudformation.ROOT / "docs/aws.md").read_text()
    text, example = re.search(r"## Managed Instances\n(.*?)```yaml\n(.*?)```", page, re.DOTALL).groups()
    replaced = set(re.findall(r"`(\w+)`", re.search(r"in place of (.*?), and deploy", text, re.DOTALL)[1]))
    added = yaml.safe_load(example)
    there = load()["Resources"]["PredictOnce"]["Properties"].keys()
    checks.check("the replaced properties exist", replaced and replaced <= there, replaced - there)
    try:
        checks.check("without the removals, SAM refuses the template", False, transformed(added, set()))
    except InvalidDocumentException as refusal:
        checks.check("without the removals, SAM refuses the template", "together" in str(refusal.causes), refusal.causes)
    template = transformed(added, replaced)
    wanted = {
        "CapacityProviderArn": added["CapacityProviderConfig"]["Arn"],
        "PerExecutionEnvironmentMaxConcurrency": 16,
        "ExecutionEnvironmentMemoryGiBPerVCpu": 2,
    }
    config = template["Resources"]["PredictOnce"]["Properties"]["CapacityProviderConfig"]
    checks.equal("CloudFormation gets the capacity provider", config, {"LambdaManagedInstancesCapacityProviderConfig": wanted})
    found = lint(yaml.safe_dump(template), config=ManualArgs(regions=["eu-central-1"]))
    checks.check("cfn-lint finds nothing", not found, [match.message for match in found])
    config["LambdaManagedInstancesCapacityProviderConfig"]["PerExecutionEnvironmentMaxConcurrency"] = "many"
    checks.check("cfn-lint knows these properties", lint(yaml.safe_dump(template), config=ManualArgs(regions=["eu-central-1"])))
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
