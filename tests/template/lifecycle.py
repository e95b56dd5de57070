"""Creates, updates and deletes the stacks of configurations.yaml in an emulation of CloudFormation's engine, which follows the schemas of the
resource types (cfn-lint has AWS's): the order of the resources, what an update replaces, and which names are taken. `run` starts it.

CloudFormation cannot replace a resource that has a fixed name, and creates new resources before it deletes the old ones. So an update fails
if it changes a property that only creation sets of such a resource, or gives a name to another resource while the first one has it.
"""

import copy
import functools
import graphlib
import itertools
import json
import re
import sys

import yaml
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
from cloudformation import ROOT, stacks

sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402

# A created cache cannot move to another network, since it has a fixed name (docs/aws.md): pairs of configurations.
MOVES_A_CACHE = {
    frozenset({"http-jwt-serverless-cache", "http-given-vpc-serverless-cache"}),
}

checks = Checks()


class Refused(Exception):
    """CloudFormation would refuse or roll back this operation."""


@functools.cache
def schema(kind):
    found = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-central-1", kind).schema

    def properties(section):
        return {pointer.split("/")[2] for pointer in found.get(section) or ()}

    return properties("createOnlyProperties"), properties("primaryIdentifier"), properties("readOnlyProperties")


def fixed_name(resource):
    """What identifies a resource whose template names it; `None` if CloudFormation or the service does."""
    _, identifier, read_only = schema(resource["Type"])
    properties = resource.get("Properties", {})
    if not identifier or identifier & read_only or not identifier <= properties.keys():
        return None
    return json.dumps([resource["Type"], *(properties[one] for one in sorted(identifier))], sort_keys=True)


def references(node):
    """The names of the resources that a part of a template refers to."""
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    if node.keys() == {"Ref"}:
        return {node["Ref"]}
    if node.keys() == {"Fn::GetAtt"}:
        return {node["Fn::GetAtt"][0] if isinstance(node["Fn::GetAtt"], list) else node["Fn::GetAtt"].split(".")[0]}
    found = set().union(*map(references, node.values()))
    if "Fn::Sub" in node:
        text, variables = node["Fn::Sub"] if isinstance(node["Fn::Sub"], list) else (node["Fn::Sub"], {})
        found |= {name.split(".")[0] for name in re.findall(r"\$\{([^}!]+)\}", text)} - variables.keys()
    return found


class Stack:
    """The resources of a stack and its nested stacks, as `stack/name`, and what each waits for."""

    def __init__(self, parameters=None):
        self.resources, self.waits_for = {}, {}
        for stack, template in stacks(parameters).items() if parameters is not None else ():
            for name, resource in template["Resources"].items():
                after = resource.get("DependsOn", [])
                named = references({key: value for key, value in resource.items() if key != "Metadata"})
                named |= {after} if isinstance(after, str) else set(after)
                known = {f"{stack}/{one}" for one in named & template["Resources"].keys()}
                self.resources[f"{stack}/{name}"] = resource
                self.waits_for[f"{stack}/{name}"] = known | ({f"/{stack}"} if stack else set())
                if missing := {one for one in named if "::" not in one} - template["Resources"].keys() - template.get("Parameters", {}).keys():
                    raise Refused(f"{stack}/{name} refers to {missing}")
        # Whatever uses an output of a nested stack waits for all of it.
        for one, others in self.waits_for.items():
            for nested in [other[1:] for other in others if not one.startswith(f"{other[1:]}/")]:
                self.waits_for[one] = self.waits_for[one] | {inner for inner in self.resources if inner.startswith(f"{nested}/")}

    def order(self):
        try:
            return list(graphlib.TopologicalSorter(self.waits_for).static_order())
        except graphlib.CycleError as error:
            raise Refused(f"circular dependency: {error.args[1]}") from error


class Account:
    """The fixed names that are taken, and by which resource."""

    def __init__(self):
        self.names = {}
        self.exists = set()

    def take(self, name, resource):
        if (taken := fixed_name(resource)) is not None:
            if self.names.setdefault(taken, name) != name:
                raise Refused(f"{name}: {taken} already exists, as {self.names[taken]}")
        self.exists.add(name)

    def release(self, name, resource):
        taken = fixed_name(resource)
        if self.names.get(taken) == name:
            del self.names[taken]

    def update(self, old, new):
        """From one stack to another; an empty one creates or deletes. Returns the names of the replaced resources."""
        replaced = set()
        for name in new.order():
            before, after = old.resources.get(name), new.resources[name]
            if before is None or before["Type"] != after["Type"]:
                self.take(name, after)
                continue
            stack = name.split("/")[0]
            gone = {one.split("/")[1] for one in replaced if one.startswith(f"{stack}/")}
            was, now = before.get("Properties", {}), after.get("Properties", {})
            changed = {key for key in was.keys() | now.keys() if was.get(key) != now.get(key) or references(now.get(key)) & gone}
            if only := changed & schema(after["Type"])[0]:
                if fixed_name(after) is not None and fixed_name(after) == fixed_name(before):
                    raise Refused(f"{name} has a fixed name and would be replaced because of {only}")
                replaced.add(name)
                self.release(name, before)
                self.take(name, after)
        for name in reversed(old.order()):
            resource = old.resources[name]
            if name not in new.resources or new.resources[name]["Type"] != resource["Type"]:
                self.release(name, resource)
                if resource.get("DeletionPolicy") != "Retain" and name not in new.resources:
                    self.exists.discard(name)
        return replaced


def refusal(*steps):
    """Why the last of these updates fails, from stack to stack; `None` if it succeeds."""
    account, before = Account(), Stack()
    for position, after in enumerate(steps):
        try:
            account.update(before, after)
        except Refused as error:
            if position < len(steps) - 1:
                raise
            return str(error)
        before = after
    return None


def prove_updates(found):
    for name, stack in found.items():
        account = Account()
        try:
            account.update(Stack(), stack)
            created = len(account.exists)
            account.update(stack, Stack())
        except Refused as error:
            checks.check(f"{name} is created and deleted", False, error)
            continue
        # Lambda deletes a function's versions with it.
        left = {one for one in account.exists if one != "/PredictOnceVersion"}
        complete = created == len(stack.resources) and not left and not account.names
        checks.check(f"{name}: {created} resources are created, and deleted again", complete, (left, account.names))
    refused = {}
    for one, other in itertools.permutations(found, 2):
        if why := refusal(found[one], found[other]):
            refused[one, other] = why
    moves = {pair: why for pair, why in refused.items() if frozenset(pair) in MOVES_A_CACHE}
    others = {pair: why for pair, why in refused.items() if pair not in moves}
    count = len(found) * (len(found) - 1)
    checks.check(f"an update from each configuration to each other, {count} of them, succeeds, except for moves of a cache", not others, others)
    checks.equal("moves of a cache are refused", {frozenset(pair) for pair in moves}, MOVES_A_CACHE)
    for one, other in moves:
        checks.equal(f"from {one} to {other} by way of Cache=none", refusal(found[one], found["http-none"], found[other]), None)


def prove_mistakes_are_found(found):
    good = found["http-jwt-serverless-cache"]

    def changed(name, change):
        wrong = copy.deepcopy(good)
        change(wrong.resources[name])
        return wrong

    wrong = copy.deepcopy(good)
    wrong.waits_for["/FunctionRole"] |= {"/PredictOnceAliaslive"}
    checks.check("a circular dependency is found", "circular" in (refusal(wrong) or ""))
    renamed = copy.deepcopy(good)
    for table in (renamed.resources, renamed.waits_for):
        table["/OtherCache"] = table.pop("/ServerlessCache")
    renamed.waits_for = {one: {other.replace("ServerlessCache", "OtherCache") for other in them} for one, them in renamed.waits_for.items()}
    checks.check("a name that is taken is found", "already exists" in (refusal(good, renamed) or ""), refusal(good, renamed))
    moved = changed("/ServerlessCache", lambda one: one["Properties"].update(SubnetIds=["subnet-1"]))
    checks.check("a replacement of a fixed name is found", "fixed name" in (refusal(good, moved) or ""))
    grown = changed("/ServerlessCache", lambda one: one["Properties"].update(Description="a"))
    checks.equal("another change is not refused", refusal(good, grown), None)
    network = changed("/Vpc", lambda one: one["Properties"].update(CidrBlock="10.1.0.0/24"))
    checks.check("a replacement of what it depends on is found", "fixed name" in (refusal(good, network) or ""), refusal(good, network))


def main():
    accepted = yaml.safe_load((ROOT / "tests/template/configurations.yaml").read_text())["accepted"]
    found = {name: Stack(parameters) for name, parameters in accepted.items()}
    for prove in (prove_updates, prove_mistakes_are_found):
        with checks.part(prove.__name__):
            prove(found)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
