"""Checks that the dashboard, alarms, queries and docs name only existing metrics, dimensions and log fields, and that the runbook covers
each alarm. `run` starts it.
"""

import copy
import itertools
import re
import sys

import yaml
from cloudformation import ROOT, Refused, load, stacks, transformed
from names import EMITTED, is_metric, problems, unknown_in_query

sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402

LIMITS = {"AlarmEmail": "team@example.com", "MinimumHitPercent": "40", "MaximumModelMilliseconds": "5"}
APIS = ({}, {"ApiType": "rest"}, {"ApiType": "url", "Authorization": "iam"})
CACHES = ({}, {"Cache": "url", "RedisUrl": "redis://a"}, {"Cache": "serverless"}, {"Cache": "nodes"}, {"Cache": "public"}, {"Cache": "dynamodb"})
TOLD = ({}, {"Deployment": "Canary10Percent5Minutes"}, {"AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:a"}, LIMITS)

HERE = ROOT / "tests/template"

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
    checks.check(f"dashboards and alarms of {count} configurations use only existing names", count == 72, count)


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


def value(expression, **metrics):
    """An alarm's metric expression for one period; `None` is a metric without data."""
    if re.search(r"[^\w\s().,*/+<>=-]", expression):
        raise ValueError(expression)
    known = {name: metrics.get(name) for name in re.findall(r"\b[a-z]\b", expression)}
    functions = {
        "FILL": lambda metric, otherwise: otherwise if metric is None else metric,
        "IF": lambda condition, then, otherwise: then() if condition else otherwise,
    }
    # The second operand of IF must not be evaluated otherwise: it divides.
    lazy = re.sub(r"^IF\((.*?), (100 \* .*), (\d+)\)$", r"IF(\1, lambda: \2, \3)", expression)
    return eval(lazy, {"__builtins__": {}} | known | functions)  # noqa: S307


def prove_shares():
    """What raises an alarm, and what does not: the share is above (hits: below) the threshold."""
    templates = stacks(LIMITS | {"Cache": "url", "RedisUrl": "redis://a", "CacheReadTimeoutMs": "20"})
    found = {name_of(alarm): alarm for alarm in alarms_of(templates)}
    for name, what, raised, metrics in (
        ("invocation-errors", "no errors", False, {"e": 0, "i": 100}),
        ("invocation-errors", "a crash in fifty", False, {"e": 1, "i": 50}),
        ("invocation-errors", "the new version of a canary fails", True, {"e": 10, "i": 100}),
        ("invocation-errors", "unsupported events", False, {"e": 40, "i": 100, "x": 40}),
        ("invocation-errors", "crashes beside unsupported events", True, {"e": 50, "i": 100, "x": 40}),
        ("invocation-errors", "too few requests", False, {"e": 9, "i": 9}),
        ("server-errors", "504s and 503s, which are not counted as faults", False, {"i": 1000}),
        ("server-errors", "one model failure", False, {"f": 1, "i": 100}),
        ("server-errors", "the model fails", True, {"f": 6, "i": 100}),
        ("server-errors", "too few requests", False, {"f": 9, "i": 9}),
        ("throttles", "a few of many", False, {"t": 5, "i": 1000}),
        ("throttles", "all", True, {"t": 50}),
        ("cache-unavailable", "an outage", True, {"h": 80, "m": 10, "u": 10}),
        ("cache-unavailable", "an outage among few lookups", False, {"u": 3}),
        ("few-hits", "few hits", True, {"h": 10, "m": 90}),
        ("few-hits", "few lookups", False, {"m": 9}),
        ("writes-fail", "one write in ten", True, {"f": 10, "n": 100}),
        ("writes-fail", "few writes", False, {"f": 5, "n": 5}),
        ("slow-lookups", "half of the timeout", True, {"t": 11, "n": 100}),
        ("slow-lookups", "fast lookups", False, {"t": 9, "n": 100}),
    ):
        alarm = found[name]
        (expression,) = (one["Expression"] for one in alarm["Metrics"] if "Expression" in one)
        share, limit = value(expression, **metrics), float(alarm["Threshold"])
        breached = share < limit if alarm["ComparisonOperator"] == "LessThanThreshold" else share > limit
        checks.equal(f"{name}: {what}", breached, raised)
    for name in ("invocation-errors", "server-errors", "throttles"):
        alarm = found[name]
        checks.equal(f"{name}: two minutes of three", (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]), (2, 3))


def prove_runbook():
    """Every configuration accepts each parameter that the runbook says to set, whatever else it has."""
    page = (ROOT / "docs/runbook.md").read_text()
    commands = set(re.findall(r"`(?:make deploy PARAMETERS=')?([A-Z][A-Za-z]+=[\w.-]+)'?`", page))
    checks.check("the runbook has the way out", {"CacheBypass=true", "CacheBypass=false"} <= commands, commands)
    accepted = yaml.safe_load((HERE / "configurations.yaml").read_text())["accepted"]
    for command in sorted(commands):
        name, _, text = command.partition("=")
        refusals = {}
        for configuration, parameters in accepted.items():
            try:
                before, _ = transformed(parameters)
                after, _ = transformed(parameters | {name: text})
            except Refused as refusal:
                refusals[configuration] = str(refusal)
                continue
            lost = {one for one, resource in before["Resources"].items() if "ElastiCache" in resource["Type"]} - after["Resources"].keys()
            if lost:
                refusals[configuration] = f"deletes {lost}"
        checks.check(f"the runbook's {command} is accepted by {len(accepted)} configurations and keeps the cache", not refusals, refusals)


def prove_mistakes_are_found():
    """Replaces each kind of name with a wrong one, which the checks must find."""
    good = stacks({"Cache": "nodes"} | LIMITS)
    for wrong, right, where in (
        ("CacheHits", "CacheHit", "Dashboard"),
        ("CacheMisses", "CacheMiss", "Alarms"),
        ("Service", "service", "Dashboard"),
        ("Latencies", "Latency", "Dashboard"),
        ("Function", "FunctionName", "Alarms"),
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
    for page, text in (("operations", section(operations, "Alarms")), ("runbook", runbook)):
        named = set(re.findall(r"`((?:Cache|Model)[A-Z]\w+)`", text)) | set(re.findall(r"`(\w+)` of the ", text))
        unknown = {name for name in named - load()["Parameters"].keys() if not is_metric(name)}
        checks.check(f"docs/{page}.md names only existing metrics", named and not unknown, unknown)
    queries = re.findall(r"`(filter [^`]*)`", runbook)
    unknown = set().union(*map(unknown_in_query, queries))
    checks.check(f"{len(queries)} queries of the runbook name only existing fields", len(queries) > 3 and not unknown, unknown)


def main():
    for part in (prove_names, prove_who_is_told, prove_shares, prove_runbook, prove_mistakes_are_found, prove_documentation):
        with checks.part(part.__name__):
            part()
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
