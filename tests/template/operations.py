"""Checks that the dashboard, alarms, queries and docs name only existing metrics, dimensions and log fields, and that the runbook covers
each alarm. `run` starts it.
"""

import copy
import itertools
import re
import sys

from cloudformation import ROOT, load, stacks
from names import EMITTED, is_metric, problems, unknown_in_query

sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402

LIMITS = {"AlarmEmail": "team@example.com", "MinimumHitPercent": "40", "MaximumModelMilliseconds": "5"}
APIS = ({}, {"ApiType": "rest"})
CACHES = ({}, {"Cache": "url", "RedisUrl": "redis://a"}, {"Cache": "serverless"}, {"Cache": "nodes"})
TOLD = ({}, {"Deployment": "Canary10Percent5Minutes"}, {"AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:a"}, LIMITS)

checks = Checks()


def alarms_of(templates):
    found = [one for template in templates.values() for one in template["Resources"].values()]
    return [one["Properties"] for one in found if one["Type"] == "AWS::CloudWatch::Alarm"]


def name_of(alarm):
    return alarm["AlarmName"]["Fn::Sub"].removeprefix("${Service}-")


def section(page, heading):
    """The text below a heading of a page, up to the next one of any level."""
    return re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", page, re.MULTILINE | re.DOTALL)[1]


def rows(text):
    """The cells of a table, without its header."""
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in re.findall(r"^\|.*\|$", text, re.MULTILINE)[2:]]


def prove_names():
    count = 0
    for api, cache, told in itertools.product(APIS, CACHES, TOLD):
        templates = stacks(api | cache | told)
        count += 1
        if found := problems(templates):
            checks.check(f"{api | cache | told}: only existing names", False, found)
    checks.check(f"dashboards and alarms of {count} configurations use only existing names", count == 32, count)


def prove_who_is_told():
    """Alarms exist if they have a receiver; the two that roll back also exist if the deployment is gradual."""
    redis = {"Cache": "url", "RedisUrl": "redis://a"}
    rolls_back = {"invocation-errors", "server-errors"}
    watched = rolls_back | {"throttles"}
    of_redis = {"cache-unavailable", "writes-fail", "slow-lookups"}
    for parameters, expected in (
        ({}, set()),
        (redis, set()),
        ({"Deployment": "Canary10Percent5Minutes"}, rolls_back),
        ({"AlarmEmail": "team@example.com"}, watched),
        ({"AlarmEmail": "team@example.com"} | redis, watched | of_redis),
        (LIMITS, watched | {"few-hits", "slow-model"}),
        (LIMITS | redis | {"Deployment": "Canary10Percent5Minutes"}, watched | of_redis | {"few-hits", "slow-model"}),
    ):
        templates = stacks(parameters)
        alarms = alarms_of(templates)
        checks.equal(f"the alarms of {parameters}", {name_of(alarm) for alarm in alarms}, expected)
        told = [{"Ref": "Topic"}] if "AlarmEmail" in parameters else None
        checks.check("each alarm notifies the topic, if created", all(alarm.get("AlarmActions") == told for alarm in alarms), alarms)
        subscribed = [one for one in templates.get("Alarms", {"Resources": {}})["Resources"].values() if one["Type"] == "AWS::SNS::Topic"]
        checks.equal("the topic has its subscriber", len(subscribed), int("AlarmEmail" in parameters))


def prove_mistakes_are_found():
    """Replaces each kind of name with a wrong one, which the checks must find."""
    good = stacks({"Cache": "nodes"} | LIMITS)
    for wrong, right, where in (
        ("CacheHits", "CacheHit", "Dashboard"),
        ("CacheMisses", "CacheMiss", "Alarms"),
        ("Service", "service", "Dashboard"),
        ("Latencies", "Latency", "Dashboard"),
        ("ApiName", "ApiId", "Alarms"),
        ("EvictedKeys", "Evictions", "Dashboard"),
        ("CacheId", "CacheClusterId", "Dashboard"),
        ("cached", "cache", "Dashboard"),
        ("faults", "fault", "Dashboard"),
        ("WARNING", "WARN", "Dashboard"),
        ("FILL(x, 0)", "FILL(u, 0)", "Alarms"),
    ):
        templates = {name: changed(copy.deepcopy(one), right, wrong) if where in name else one for name, one in good.items()}
        checks.check(f"{wrong} in place of {right} is found", problems(templates))


def changed(node, old, new):
    """Replaces the word `old` with `new`, except in the names of parameters."""
    if isinstance(node, list):
        return [changed(one, old, new) for one in node]
    if isinstance(node, dict):
        return {key: changed(value, old, new) for key, value in node.items()}
    return re.sub(rf"(?<![\w{{]){re.escape(old)}(?!\w)", new, node) if isinstance(node, str) else node


def prove_documentation():
    operations, runbook = ((ROOT / "docs" / f"{page}.md").read_text() for page in ("operations", "runbook"))
    fields = {name for row in rows(section(operations, "Under Lambda: JSON")) for name in re.findall(r"`(\w+)`", row[0])}
    fields -= {"_aws", *EMITTED["metrics"]}
    checks.equal("docs/operations.md has all fields of a request", fields, set(EMITTED["fields of a request"]))
    metrics = {row[0].strip("`"): row[1] for row in rows(section(operations, "Metrics"))}
    checks.equal("docs/operations.md has all metrics, with their units", metrics, EMITTED["metrics"])
    queries = re.findall(r"^```\n(.*?)^```", section(operations, "Queries for CloudWatch Logs Insights"), re.MULTILINE | re.DOTALL)
    unknown = set().union(*map(unknown_in_query, queries))
    checks.check(f"{len(queries)} blocks of queries name only existing fields", len(queries) > 3 and not unknown, unknown)

    alarms = {name_of(alarm): alarm for alarm in alarms_of(stacks({"Cache": "url", "RedisUrl": "redis://a"} | LIMITS))}
    linked = {name: alarm["AlarmDescription"].rpartition("#")[2] for name, alarm in alarms.items()}
    checks.equal("each alarm links to the section of its name", linked, {name: name for name in alarms})
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", runbook, re.MULTILINE)}
    checks.equal("docs/runbook.md has a section for each alarm, and no other", headings, alarms.keys())
    table = {re.search(r"#([\w-]+)\)", row[0])[1]: row for row in rows(section(operations, "Alarms"))}
    checks.equal("docs/operations.md has each alarm", table.keys(), alarms.keys())
    for name, alarm in alarms.items():
        for expression in (one["Expression"] for one in alarm.get("Metrics", []) if "Expression" in one):
            checks.check(f"docs/operations.md has the expression of {name}", expression in table[name][1], table[name])
    timeout = re.search(r"`CACHE_READ_TIMEOUT_MS` \| `(\d+)` \|", (ROOT / "docs/settings.md").read_text())[1]
    checks.equal("the threshold of slow-lookups is half of the timeout", alarms["slow-lookups"]["Threshold"], int(timeout) / 2)
    for page, text in (("operations", section(operations, "Alarms")), ("runbook", runbook)):
        named = set(re.findall(r"`((?:Cache|Model)[A-Z]\w+)`", text)) | set(re.findall(r"`(\w+)` of the ", text))
        unknown = {name for name in named - load()["Parameters"].keys() if not is_metric(name)}
        checks.check(f"docs/{page}.md names only existing metrics", named and not unknown, unknown)
    queries = re.findall(r"`(filter [^`]*)`", runbook)
    unknown = set().union(*map(unknown_in_query, queries))
    checks.check(f"{len(queries)} queries of the runbook name only existing fields", len(queries) > 3 and not unknown, unknown)


def main():
    for part in (prove_names, prove_who_is_told, prove_mistakes_are_found, prove_documentation):
        with checks.part(part.__name__):
            part()
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
