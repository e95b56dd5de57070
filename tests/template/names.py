"""Finds unknown names in dashboards, alarms, queries and their documentation. Known are the log fields and metrics that the function
writes (emitted.json), and AWS's metrics in aws_metrics.yaml.
"""

import json
import re
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
EMITTED = json.loads((HERE / "emitted.json").read_text())
AWS = yaml.safe_load((HERE / "aws_metrics.yaml").read_text())
FIELDS = {*EMITTED["fields of a request"], *EMITTED["fields of other messages"], *EMITTED["metrics"]}

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
COMMANDS = {"and", "as", "asc", "by", "desc", "fields", "filter", "like", "or", "parse", "sort", "stats"}
FUNCTIONS = {"bin", "coalesce", "count", "ispresent", "max", "pct", "strcontains", "sum"}
DISCOVERED = {"@message", "@timestamp"}
LEVELS = {"ERROR", "WARN", "INFO", "DEBUG", "TRACE"}


def metric_exists(namespace, name, dimensions):
    if namespace == EMITTED["namespace"]:
        return name in EMITTED["metrics"] and sorted(dimensions) in EMITTED["dimensions"]
    documented = AWS.get(namespace, [])
    return any(name in one["metrics"] and sorted(dimensions) in map(sorted, one["dimensions"]) for one in documented)


def is_metric(name):
    return name in EMITTED["metrics"] or any(name in one["metrics"] for documented in AWS.values() for one in documented)


def of_alarm(alarm):
    """The metrics of an alarm: namespace, name, dimension names."""
    stats = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
    for metric in stats or [alarm]:
        yield metric["Namespace"], metric["MetricName"], [dimension["Name"] for dimension in metric["Dimensions"]]


def searched(expression):
    """The metrics that the searches in an expression look for."""
    for search in re.findall(r"SEARCH\('([^']*)'", expression):
        schema = re.match(r"\{([^}]*)\}", search)
        namespace, *dimensions = schema[1].split(",") if schema else re.findall(r'Namespace="([^"]*)"', search)
        named = set(re.findall(r"(\w+)=", search)) - {"MetricName", "Namespace"}
        for name in re.findall(r'MetricName="([^"]*)"', search) or ["?"]:
            yield namespace, name, sorted({*dimensions, *named})


def of_widget(properties):
    for line in properties.get("metrics", []):
        if isinstance(line[0], dict):
            yield from searched(line[0]["expression"])
        else:
            namespace, name, *rest = [entry for entry in line if isinstance(entry, str)]
            yield namespace, name, rest[::2]


def unknown_ids(expressions, ids):
    """Ids that metric expressions use but no metric defines."""
    texts = [re.sub(r"SEARCH\([^)]*\)", "", re.sub(r'"[^"]*"|\'[^\']*\'', "", expression)) for expression in expressions]
    return {name for text in texts for name in re.findall(r"\b[a-z]\w*", text)} - ids


def unknown_in_query(query):
    """Names in a Logs Insights query that are neither fields, functions nor commands."""
    text = re.sub(r"SOURCE '[^']*'", "", query)
    levels = set(re.findall(r'level = "(\w+)"', text)) - LEVELS
    own = set(re.findall(r"\?<(\w+)>", text)) | set(re.findall(r"\bas (\w+)", text))
    text = re.sub(r'"[^"]*"|(?<=like |sage )/[^/]*/', "", text)
    functions = set(re.findall(r"(\w+)\(", text)) - COMMANDS
    text = re.sub(r"\w+\(|\b[0-9]+[mh]?\b", " ", text)
    return levels | (functions - FUNCTIONS) | set(re.findall(r"@?[A-Za-z_][\w.]*", text)) - own - FIELDS - COMMANDS - DISCOVERED


def problems(templates):
    """Unknown names in the alarms and the dashboard of a stack."""
    found = []
    for template in templates.values():
        for name, resource in template["Resources"].items():
            properties = resource.get("Properties", {})
            metrics, expressions, ids = [], [], set()
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                metrics += of_alarm(properties)
                expressions = [one["Expression"] for one in properties.get("Metrics", []) if "Expression" in one]
                ids = {one["Id"] for one in properties.get("Metrics", [])}
                found += [f"{name}: no metric {metric}" for metric in metrics if not metric_exists(*metric)]
                found += [f"{name}: no id {one}" for one in unknown_ids(expressions, ids)]
            if resource["Type"] == "AWS::CloudWatch::Dashboard":
                for widget in json.loads(properties["DashboardBody"]["Fn::Sub"])["widgets"]:
                    found += [f"{widget['properties']['title']}: {one}" for one in problems_of_widget(widget["properties"])]
    return found


def problems_of_widget(properties):
    lines = properties.get("metrics", [])
    expressions = [line[0]["expression"] for line in lines if isinstance(line[0], dict)]
    ids = {line[-1].get("id") for line in lines if isinstance(line[-1], dict)}
    found = [f"no metric {metric}" for metric in of_widget(properties) if not metric_exists(*metric)]
    found += [f"no id {one}" for one in unknown_ids(expressions, ids)]
    return found + [f"no field {one}" for one in unknown_in_query(properties.get("query", ""))]
