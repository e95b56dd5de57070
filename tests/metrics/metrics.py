"""Checks that /metrics is valid OpenMetrics and as text (0.0.4), that its names follow Prometheus' conventions, that docs/operations.md
lists exactly these metrics, and that the Grafana dashboard and the alert rules name nothing else. `run` starts it.
"""

import json
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path

import yaml
from prometheus_client import parser as text_format
from prometheus_client.openmetrics import parser as openmetrics

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from checks import Checks  # noqa: E402
from processes import APPLICATION, ROOT, binary, redis, service_url, until  # noqa: E402

checks = Checks()
# The labels that Prometheus adds to each sample.
SCRAPED = {"instance", "job"}


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=10).read()
    except urllib.error.HTTPError as error:
        error.read()


def scrape(url, accept):
    request = urllib.request.Request(f"{url}/metrics", headers={"accept": accept})
    return urllib.request.urlopen(request, timeout=10).read().decode()


def read(url):
    """The metric families by name. The parser rejects invalid OpenMetrics."""
    text = scrape(url, "application/openmetrics-text; version=1.0.0")
    return {family.name: family for family in openmetrics.text_string_to_metric_families(text)}


def samples(families):
    """The sample names, which queries use."""
    return {sample.name for family in families.values() for sample in family.samples}


def prove_names(families):
    for name, family in families.items():
        checks.check(f"{name}: has a known prefix", re.fullmatch(r"(predict_once|process)_[a-z_]+", name))
        checks.check(f"{name}: has a description", family.documentation.strip("."))
        is_time = family.type == "histogram" or "time" in name
        checks.check(f"{name}: times, and only times, are in seconds", (family.unit == "seconds") == is_time, family.unit)
        checks.check(f"{name}: the name ends with its unit", name.endswith(family.unit), family.unit)
        labels = {label for sample in family.samples for label in sample.labels}
        checks.check(f"{name}: labels are words", all(re.fullmatch(r"[a-z]+", label) for label in labels), labels)


def prove_buckets(families):
    buckets = [sample for sample in families["predict_once_http_request_duration_seconds"].samples if "le" in sample.labels]
    limits = sorted({float(sample.labels["le"]) for sample in buckets})
    checks.equal("requests: the buckets range from 50 µs to 10 s", (limits[0], limits[-2]), (50e-6, 10.0))
    steps = [later / former for former, later in zip(limits, limits[1:-1], strict=False)]
    checks.check("requests: each bucket is at most 2.5 times the previous one", max(steps) < 2.51, limits)


def prove_document(families):
    text = (ROOT / "docs/operations.md").read_text()
    section = text[text.index("### Prometheus\n") :]
    rows = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", section, re.MULTILINE))
    documented = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows.items()}
    emitted = {}
    for name, family in families.items():
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        emitted[name + suffix] = {label for sample in family.samples for label in sample.labels if label != "le"}
    checks.equal("docs/operations.md has each metric with its labels", documented, emitted)
    queries = re.findall(r"```\n(.*?)```", section, re.DOTALL)
    named = {name for query in queries for name in re.findall(r"predict_once_\w+", query)}
    checks.check("its queries name existing metrics", named and named <= samples(families), named - samples(families))


def prove_queries(families):
    """The Grafana dashboard and the alert rules name only samples, labels and values that exist."""
    dashboard = json.loads((ROOT / "container/grafana-dashboard.json").read_text())
    rules = [rule for group in yaml.safe_load((ROOT / "container/prometheus-alerts.yaml").read_text())["groups"] for rule in group["rules"]]
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [entry["query"] for entry in dashboard["templating"]["list"] if entry["type"] == "query"]
    queries += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    queries += [rule["expr"] for rule in rules]
    queries = [" ".join(query.split()) for query in queries]
    values = {}
    for sample in (sample for family in families.values() for sample in family.samples):
        labels = values.setdefault(sample.name, {})
        for label, value in sample.labels.items():
            labels.setdefault(label, set()).add(value)
    for query in queries:
        named = re.findall(r"((?:predict_once|process)_\w+)(?:\{([^}]*)\})?", query)
        checks.check(f"names only existing samples: {query}", named and {name for name, _ in named} <= values.keys(), named)
        known = set().union(*(values.get(name, {}) for name, _ in named)) | SCRAPED
        grouped = {label for group in re.findall(r"(?:by|on) \(([^)]*)\)", query) for label in group.split(", ")}
        checks.check(f"groups by existing labels: {query}", grouped <= known, grouped - known)
        for name, selectors in named:
            for label, operator, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', selectors):
                if label in SCRAPED:
                    continue
                found = values.get(name, {}).get(label, set())
                matches = any(re.fullmatch(value, one) for one in found)
                # The status of a fault, which none of these requests has.
                checks.check(f"selects existing values: {name}{{{label}{operator}{value}}}", matches or (label, value) == ("status", "500"), found)
    shown = {name for query in queries for name in re.findall(r"predict_once_\w+", query)}
    unused = {name for name, family in families.items() if name.startswith("predict_once") and not any(one.startswith(name) for one in shown)}
    checks.equal("each metric is on the dashboard or in a rule", unused, {"predict_once_http_request_duration_seconds"})
    for rule in rules:
        complete = rule["labels"]["severity"] in ("critical", "warning") and {"summary", "description"} <= rule["annotations"].keys()
        checks.check(f"{rule['alert']}: has a severity and says what to do", complete, rule)


def prove_text(families, text):
    """The text format has the same samples, and a type for each family."""
    found = list(text_format.text_string_to_metric_families(text))
    checks.equal("text: the same samples", {sample.name for family in found for sample in family.samples}, samples(families))
    types = {family.type for family in found}
    checks.equal("text: only its own types", types, {"counter", "gauge", "histogram"})
    checks.check("text: each family has a description", all(family.documentation for family in found))


def main():
    program = binary()
    with redis() as store, service_url(program, METRICS="true", REDIS_URL=store.url, CACHE_READ_TIMEOUT_MS="1000") as url:
        checks.check("before the first request, the metrics are valid", read(url))
        for body in (APPLICATION, APPLICATION, [APPLICATION, APPLICATION | {"age_in_years": 40}], {}):
            post(f"{url}/decisions", body)
        post(f'{url}/"odd\\path', APPLICATION)

        def stored():
            found = read(url)["predict_once_cache_writes"].samples
            return sum(sample.value for sample in found if sample.name.endswith("_total")) == 2

        until(stored, "both writes are counted")
        families = read(url)
        text = scrape(url, "text/plain; version=0.0.4")
    with checks.part("prove_text"):
        prove_text(families, text)
    for part in (prove_names, prove_buckets, prove_document, prove_queries):
        with checks.part(part.__name__):
            part(families)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
