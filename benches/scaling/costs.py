"""The formulas of docs/scaling.md, with the figures of prices.toml."""

import itertools
import math
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
BOOK = tomllib.loads((HERE / "prices.toml").read_text())
PRICE, LIMIT, ASSUMED, MEASURED = (
    {name: entry["value"] for name, entry in BOOK[kind].items()} for kind in ("price", "limit", "assumption", "measured")
)

MONTH = ASSUMED["hours_per_month"]
GIGABYTES = ASSUMED["memory_megabytes"] / 1024
# What a million responses to the Internet cost.
EGRESS = ASSUMED["response_bytes"] / 1000 * PRICE["egress"]
# The share of a core that a function has on average, and the most that a short run may get.
AVERAGE, FULL = min(1, ASSUMED["memory_megabytes"] / LIMIT["vcpu_megabytes"]), 1

# Throughout, `run` is a run of the model in milliseconds on a full core and `hits` the hit ratio, None without a cache.


def cpu(where, run, hits):
    """Milliseconds of a full core for each kind of request, with the share of requests of that kind."""
    if hits is None:
        return [(MEASURED[f"{where}_none"] + run, 0, 1)]
    return [(MEASURED[f"{where}_hit"], 1, hits), (MEASURED[f"{where}_miss"] + run, 2, 1 - hits)]


def durations(run, hits, share=AVERAGE, trip=ASSUMED["lookup_ms"]):
    """Milliseconds of each kind of invocation, with the share of requests of that kind. Waiting for the store needs no core."""
    return [(time / share + trips * trip, part) for time, trips, part in cpu("function", run, hits)]


def billed(run, hits, share=AVERAGE, trip=ASSUMED["lookup_ms"]):
    step = LIMIT["billing_ms"]
    return sum(math.ceil(time / step) * step * part for time, part in durations(run, hits, share, trip))


def busy(rate, run, hits):
    """Environments at work on average, by Little's law."""
    return rate * sum(time * part for time, part in durations(run, hits)) / 1000


def concurrency(rate, run, hits):
    """The concurrency limit that the peaks of what is busy and the request rate require."""
    mean = busy(rate, run, hits)
    return math.ceil(max(mean + 3 * math.sqrt(mean), rate / LIMIT["requests_per_environment"]))


# --- Dollars for a million requests ---


def duration_cost(run, hits, share=AVERAGE, trip=ASSUMED["lookup_ms"]):
    return billed(run, hits, share, trip) * 1000 * GIGABYTES * PRICE["lambda_arm64"]


def serverless_hour(rate, hits):
    """A Serverless cache for an hour: the least storage, and one unit for each lookup and each write."""
    return 0.1 * PRICE["serverless_gb"] + rate * 3600 * (2 - hits) / 1e6 * PRICE["serverless_ecpu"]


def redis_cost(rate, hits):
    return 0 if hits is None else serverless_hour(rate, hits) / (rate * 3600) * 1e6


def dynamodb_cost(hits):
    """A lookup for each request and a write for each miss, whatever the rate."""
    return LIMIT["dynamodb_lookup"] * PRICE["dynamodb_read"] + (1 - hits) * PRICE["dynamodb_write"]


def log_cost(hits, sample=1):
    """With `LOG_SAMPLE`, the other hits leave their metrics only."""
    hit = sample * MEASURED["log_hit_bytes"] + (1 - sample) * MEASURED["log_metrics_bytes"]
    line = (hits or 0) * hit + (1 - (hits or 0)) * MEASURED["log_miss_bytes"]
    return (line + ASSUMED["platform_log_bytes"]) / 1000 * PRICE["logs"]


def total_cost(run, hits, rate=100):
    fixed = PRICE["lambda_request"] + PRICE["http_api"] + log_cost(hits) + EGRESS
    return fixed + duration_cost(run, hits) + redis_cost(rate, hits)


# --- Dollars an hour at a rate, without Redis and logs, which cost the same everywhere ---


def http_api_hour(rate):
    millions = rate * 3600 * MONTH / 1e6
    beyond = max(0, millions - 300)
    return ((millions - beyond) * PRICE["http_api"] + beyond * PRICE["http_api_beyond"]) / MONTH


def lambda_hour(rate, run, hits, gateway=http_api_hour):
    return rate * 3600 / 1e6 * (PRICE["lambda_request"] + duration_cost(run, hits)) + gateway(rate)


def cores(rate, run, hits, where):
    return rate * sum(time * part for time, _, part in cpu(where, run, hits)) / 1000 / ASSUMED["utilisation"]


def managed_hour(rate, run, hits):
    instances = max(LIMIT["managed_instances"], math.ceil(cores(rate, run, hits, "function") / 4))
    requests = rate * 3600 / 1e6 * PRICE["lambda_request"] + http_api_hour(rate)
    return instances * (PRICE["managed_instance"] + PRICE["managed_fee"]) + requests


def fargate_hour(rate, run, hits, peak=1):
    tasks = max(ASSUMED["container_tasks"], math.ceil(cores(rate * peak, run, hits, "server")))
    task = PRICE["fargate_vcpu"] + ASSUMED["fargate_task_gb"] * PRICE["fargate_gb"]
    units = rate * 3600 * (ASSUMED["request_bytes"] + ASSUMED["response_bytes"]) / 1e9 / LIMIT["lcu_gigabytes"]
    return tasks * task + PRICE["balancer"] + units * PRICE["balancer_unit"]


# --- Break-even points ---


def first_from(holds, low, high, steps=4000):
    """The least of logarithmically spaced values from which `holds` is true up to `high`; None if it is false there."""
    values = [low * (high / low) ** (step / steps) for step in range(steps, -1, -1)]
    return min(itertools.takewhile(holds, values), default=None)


def cache_pays_from(rate, hits, share):
    """The model's time from which the cache lowers the bill."""
    return first_from(
        lambda run: duration_cost(run, hits, share) + redis_cost(rate, hits) < duration_cost(run, None, share), 0.01, 2000
    )


def dynamodb_pays_from(hits, share):
    """The same with DynamoDB, at any rate."""
    trip = ASSUMED["dynamodb_ms"]
    return first_from(
        lambda run: duration_cost(run, hits, share, trip) + dynamodb_cost(hits) < duration_cost(run, None, share), 0.01, 2000
    )


def faster_from(hits, share, trip):
    """The model's time from which requests are faster on average: a hit saves a run, and each request waits for a lookup."""
    return trip * share / hits


def cheaper_from(this, that):
    """The rate from which `this` costs less an hour than `that`."""
    return first_from(lambda rate: this(rate) < that(rate), 0.1, 100_000, 3000)


# --- Redis ---


def wire_bytes():
    """Bytes of a lookup that hits, one that misses, and a write, both ways: RESP, three TCP segments, two TLS records."""
    key, value, overhead = MEASURED["key_bytes"], MEASURED["value_bytes"], 3 * 52 + 2 * 22

    def bulk(length):
        return len(f"${length:.0f}\r\n\r\n") + length

    def command(*lengths):
        return len(f"*{len(lengths)}\r\n") + sum(map(bulk, lengths))

    get = command(3, key) + overhead
    return get + bulk(value), get + len("$-1\r\n"), command(3, key, value, 2, 6) + len("+OK\r\n") + overhead


def usd(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value >= 1 else f"{value:.2g}"


def nodes_for(gigabytes):
    """The smallest nodes with so much memory, in shards of the largest if it is not enough, and their price a month."""
    usable = {name: node["gib"] * 1.0737 * (1 - LIMIT["node_reserved"]) for name, node in BOOK["node"].items()}
    name = next((name for name, size in usable.items() if size >= gigabytes), list(usable)[-1])
    shards = math.ceil(gigabytes / usable[name])
    month = BOOK["node"][name]["value"] * ASSUMED["redis_nodes"] * shards * MONTH
    return f"{f'{shards} shards of ' if shards > 1 else ''}{ASSUMED['redis_nodes']} × {name}: {usd(month)}"
