"""What the configurations of template.yaml cost a month, idle and at a steady rate: a table of docs/scaling.md."""

import re

import costs

CONFIGURATIONS = costs.HERE.parents[1] / "tests/template/configurations.yaml"

# At this rate, with a model of so many milliseconds and, with a shared cache, so many hits.
RATE, RUN, HITS = 10, 1, 0.8
MILLIONS = RATE * 3600 * costs.MONTH / 1e6

# The metrics that an alarm counts, by what asks for it (docs/aws.md): the errors roll back a gradual deployment.
ERRORS, THROTTLES, STORE, FEW_HITS, SLOW_MODEL = 5, 2, 7, 3, 1
# The metrics of the function at steady traffic: hits, misses, and the times of lookups, runs and writes, and failed writes.
METRICS = 6


def accepted():
    """The named configurations with their parameters; the file is of this simple form."""
    text = CONFIGURATIONS.read_text().partition("accepted:\n")[2].partition("\n# Each with")[0]
    for name, inline, body in re.findall(r"^  ([\w-]+):( \{\})?\n((?:    .*\n?)*)", text, re.MULTILINE):
        yield name, dict(re.findall(r'^    (\w+): "?(.*?)"?$', body, re.MULTILINE)) if not inline else {}


def alarm_metrics(parameters, has_store):
    told = "AlarmEmail" in parameters or "AlarmTopicArn" in parameters
    gradual = parameters.get("Deployment", "AllAtOnce") != "AllAtOnce"
    return (
        ERRORS * (told or gradual)
        + THROTTLES * told
        + STORE * (told and has_store)
        + FEW_HITS * ("MinimumHitPercent" in parameters)
        + SLOW_MODEL * ("MaximumModelMilliseconds" in parameters)
    )


def bill(parameters):
    """Dollars a month: all of it while idle, and at the rate the function, gateway and traffic, the cache, logs and metrics."""
    price, assumed = costs.PRICE, costs.ASSUMED
    cache, api = parameters.get("Cache", "none"), parameters.get("ApiType", "http")
    has_store = cache != "none"
    hits = HITS if has_store else None
    watching = price["alarm"] * alarm_metrics(parameters, has_store)
    watching += price["dashboard"] * (parameters.get("Dashboard", "true") == "true")
    environments = int(parameters.get("ProvisionedConcurrency", "0"))
    provisioned = environments * costs.GIGABYTES * 3600 * costs.MONTH * price["provisioned"]
    nodes = int(parameters.get("CacheNodeCount", "2")) * costs.BOOK["node"]["t4g.micro"]["value"] * costs.MONTH

    def store(rate):
        match cache:
            case "serverless" | "public":
                return costs.serverless_hour(rate, HITS) * costs.MONTH
            case "nodes":
                return nodes
            case "dynamodb":
                return rate * 3600 * costs.MONTH / 1e6 * costs.dynamodb_cost(HITS)
        return 0

    trip = assumed["dynamodb_ms" if cache == "dynamodb" else "lookup_ms"]
    duration = costs.duration_cost(RUN, hits, trip=trip)
    if parameters.get("Architecture") == "x86_64":
        duration *= price["lambda_x86_64"] / price["lambda_arm64"]
    if environments:
        duration *= price["provisioned_duration"] / price["lambda_arm64"]
    gateway = {"http": price["http_api"], "rest": price["rest_api"], "url": 0}[api]
    logs = costs.log_cost(hits, float(parameters.get("LogSample", "1")))
    if "AccessLogRetentionDays" in parameters:
        logs += assumed["access_log_bytes"] / 1000 * price["logs"]
    idle = store(0) + watching + provisioned
    return idle, [
        MILLIONS * (price["lambda_request"] + duration) + provisioned,
        MILLIONS * (gateway + (0 if "VpcEndpointId" in parameters else costs.EGRESS)),
        store(RATE),
        MILLIONS * logs + METRICS * price["metric"] + watching,
    ]


def table():
    for name, parameters in accepted():
        idle, parts = bill(parameters)
        yield [f"`{name}`", costs.usd(idle), *(costs.usd(part) if part else "–" for part in parts), costs.usd(sum(parts))]
