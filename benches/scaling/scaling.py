#!/usr/bin/env python3
"""Calculates docs/scaling.md from prices.toml and burst.toml: `make scaling`.

`--check` writes nothing and fails if the committed page differs from the calculated one.
"""

import itertools
import math
import re
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs/scaling.md"
BOOK = tomllib.loads((HERE / "prices.toml").read_text())
PRICE, LIMIT, ASSUMED, MEASURED = (
    {name: entry["value"] for name, entry in BOOK[kind].items()} for kind in ("price", "limit", "assumption", "measured")
)
BURST = tomllib.loads((HERE / "burst.toml").read_text())

RATES = (10, 100, 1_000, 10_000, 100_000)
RUNS = (0.05, 1, 10, 100)
RATIOS = (None, 0, 0.5, 0.8, 0.95)
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


def log_cost(hits):
    line = (hits or 0) * MEASURED["log_hit_bytes"] + (1 - (hits or 0)) * MEASURED["log_miss_bytes"]
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


def nodes_for(gigabytes):
    """The smallest nodes with so much memory, in shards of the largest if it is not enough, and their price a month."""
    usable = {name: node["gib"] * 1.0737 * (1 - LIMIT["node_reserved"]) for name, node in BOOK["node"].items()}
    name = next((name for name, size in usable.items() if size >= gigabytes), list(usable)[-1])
    shards = math.ceil(gigabytes / usable[name])
    month = BOOK["node"][name]["value"] * ASSUMED["redis_nodes"] * shards * MONTH
    return f"{f'{shards} shards of ' if shards > 1 else ''}{ASSUMED['redis_nodes']} × {name}: {usd(month)}"


# --- The page ---


def usd(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value >= 1 else f"{value:.2g}"


def count(value):
    """A number of two significant digits; a dash for None."""
    return "–" if value is None else f"{float(f'{value:.2g}'):,.0f}" if value >= 100 else f"{value:.2g}"


def between(low, high):
    return count(low) if count(low) == count(high) else f"{count(low)} – {count(high)}"


def rows(lines):
    return "\n".join("| " + " | ".join(map(str, cells)) + " |" for cells in lines)


def environments(rate):
    cases = [(0.05, None), (10, None), (10, 0.8), (100, None), (100, 0.8)]
    limits = [concurrency(rate, 0.05, None), concurrency(rate, 100, None)]
    marked = [f"{limit:,}{' *' if limit > LIMIT['concurrency'] else ''}" for limit in limits]
    gateway = "yes" if rate <= LIMIT["gateway_requests"] else "raise it"
    start = " – ".join(f"{limit / LIMIT['scaling']:.0f}" for limit in limits)
    return [f"{rate:,}", *(count(busy(rate, *case)) for case in cases), *marked, gateway, f"{start} s"]


def network(rate, hits=0.8):
    hit, miss, put = wire_bytes()
    megabits = rate * (hits * hit + (1 - hits) * (miss + put)) * 8 / 1e6
    return [f"{rate:,}", count(rate * (2 - hits)), f"{megabits:,.1f}", usd(serverless_hour(rate, hits) * MONTH)]


def memory(millions):
    gigabytes = millions * MEASURED["entry_bytes"] / 1000
    serverless = max(0.1, gigabytes) * PRICE["serverless_gb"] * MONTH
    return [f"{millions:g} million", f"{gigabytes:.2g} GB", usd(serverless), nodes_for(gigabytes)]


def cost(run, hits):
    return f"{usd(duration_cost(run, hits) + redis_cost(100, hits))} / {total_cost(run, hits):.2f}"


def cache_pays(rate):
    bounds = [[cache_pays_from(rate, hits, share) for share in (AVERAGE, FULL)] for hits in (0.5, 0.8, 0.95)]
    return [f"{rate:,}", *(between(*pair) for pair in bounds)]


def stores(rate, hits=0.8):
    month = rate * 3600 * MONTH / 1e6
    waiting = duration_cost(1, hits, trip=ASSUMED["dynamodb_ms"]) - duration_cost(1, hits)
    nodes = 2 * BOOK["node"]["t4g.micro"]["value"] * MONTH
    return [f"{rate:,}", usd(serverless_hour(rate, hits) * MONTH), usd(nodes), usd(month * dynamodb_cost(hits)), usd(month * waiting)]


def store_pays(hits):
    redis, dynamodb = ([faster_from(hits, share, ASSUMED[name]) for share in (AVERAGE, FULL)] for name in ("lookup_ms", "dynamodb_ms"))
    bill = [dynamodb_pays_from(hits, share) for share in (AVERAGE, FULL)]
    return [f"{hits * 100:.0f} %", between(*redis), between(*dynamodb), between(*bill)]


def alternatives(run, hits):
    def api(rate):
        return lambda_hour(rate, run, hits)

    def url(rate):
        return lambda_hour(rate, run, hits, gateway=lambda _: 0)

    def fargate(peak=1):
        return lambda rate: fargate_hour(rate, run, hits, peak)

    pairs = [(fargate(), api), (fargate(4), api), (fargate(), url), (lambda rate: managed_hour(rate, run, hits), api)]
    return [f"{run:g}", "none" if hits is None else f"{hits * 100:.0f} %", *(count(cheaper_from(*pair)) for pair in pairs)]


def burst(run):
    first, unavailable, connections = (
        " / ".join(f"{number:,}" for number in run[name]) for name in ("first", "unavailable", "connections")
    )
    return [run["store"], run["start"], run["answered"], first, unavailable, connections, run["refused"], run["errors"]]


def values():
    """The text of each placeholder of scaling.md.in."""
    utilisation = PRICE["provisioned"] / (PRICE["lambda_arm64"] - PRICE["provisioned_duration"])
    pays = [cache_pays_from(100, 0.8, share) for share in (AVERAGE, FULL)]
    alternative = alternatives(1, 0.8)
    return {
        "date": BOOK["date"],
        "region": BOOK["region"],
        "memory": ASSUMED["memory_megabytes"],
        "share": f"{AVERAGE:.2f}",
        "lookup": ASSUMED["lookup_ms"],
        "default_rate": f"{LIMIT['concurrency'] * LIMIT['requests_per_environment']:,}",
        "total_1": f"{total_cost(1, 0.8):.2f}",
        "duration_1": usd(duration_cost(1, 0.8)),
        "throttle": ASSUMED["throttle"],
        "throttle_month": count(ASSUMED["throttle"] * 3600 * MONTH / 1e6 * total_cost(1, 0.8)),
        "pays_low": count(pays[0]),
        "pays_high": count(pays[1]),
        "saves_100": usd(total_cost(100, None) - total_cost(100, 0.8)),
        "forest": MEASURED["forest_ms"],
        "fargate_1": alternative[2],
        "fargate_url_1": alternative[4],
        "environments": rows(map(environments, RATES)),
        "network": rows(map(network, RATES[1:])),
        "memory_rows": rows(map(memory, (1, 10, 100))),
        "least_serverless": usd(serverless_hour(0, 0) * MONTH),
        "connections": f"{LIMIT['connections']:,}",
        "connections_micro": f"{LIMIT['connections_micro']:,}",
        "costs": rows([f"{run:g}", *(cost(run, hits) for hits in RATIOS)] for run in RUNS),
        "x86_more": f"{(PRICE['lambda_x86_64'] / PRICE['lambda_arm64'] - 1) * 100:.0f}",
        "request": f"{PRICE['lambda_request']:.2f}",
        "http_api": f"{PRICE['http_api']:.2f}",
        "rest_more": f"{PRICE['rest_api'] - PRICE['http_api']:.2f}",
        "log_hit": usd(log_cost(1)),
        "log_miss": usd(log_cost(0)),
        "egress": usd(EGRESS),
        "cache_pays": rows(map(cache_pays, (1, 10, 100, 1_000))),
        "dynamodb_ms": ASSUMED["dynamodb_ms"],
        "dynamodb_read": f"{LIMIT['dynamodb_lookup'] * PRICE['dynamodb_read']:.3g}",
        "dynamodb_write": f"{PRICE['dynamodb_write']:.3g}",
        "dynamodb_gb": usd(PRICE["dynamodb_gb"]),
        "dynamodb_ten_million": f"{ASSUMED['dynamodb_entry_bytes'] * 10_000_000 / 1e9 * PRICE['dynamodb_gb']:.2f}",
        "dynamodb_faster": count(faster_from(0.8, FULL, ASSUMED["dynamodb_ms"])),
        "redis_cheaper": count(cheaper_from(lambda rate: serverless_hour(rate, 0.8), lambda rate: rate * 3600 / 1e6 * dynamodb_cost(0.8))),
        "stores": rows(map(stores, (1, 10, 100, 1_000))),
        "store_pays": rows(map(store_pays, (0.5, 0.8, 0.95))),
        "alternatives": rows(alternatives(run, hits) for run in RUNS[1:] for hits in (None, 0.8)),
        "utilisation": f"{utilisation * 100:.0f}",
        "least_billed": f"{utilisation * 1000 / LIMIT['requests_per_environment']:.0f}",
        "burst_date": BURST["date"],
        "copies": BURST["copies"],
        "later": BURST["later"],
        "burst": rows(map(burst, BURST["run"])),
    }


def page():
    cited = {entry["source"] for kind in ("price", "node", "limit") for entry in BOOK[kind].values()}
    if cited != set(BOOK["sources"]):
        sys.exit(f"prices.toml: cited or listed, but not both: {sorted(cited ^ set(BOOK['sources']))}")
    template, texts = (HERE / "scaling.md.in").read_text(), values()
    if unused := set(texts) ^ set(re.findall(r"\{(\w+)\}", template)):
        sys.exit(f"scaling.md.in and scaling.py differ in {sorted(unused)}")
    return template.format(**texts)


if __name__ == "__main__":
    if "--check" not in sys.argv:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        sys.exit("docs/scaling.md is out of date: run `make scaling`")
