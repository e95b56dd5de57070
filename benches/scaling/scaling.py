#!/usr/bin/env python3
"""Calculates docs/scaling.md from prices.toml and burst.toml: `make scaling`.

`--check` writes nothing and fails if the committed page differs from the calculated one.
"""

import re
import sys
import tomllib

import configurations
from costs import (
    ASSUMED, AVERAGE, BOOK, EGRESS, FULL, HERE, LIMIT, MEASURED, MONTH, PRICE, busy, cache_pays_from, cheaper_from, concurrency,
    duration_cost, dynamodb_cost, dynamodb_pays_from, fargate_hour, faster_from, lambda_hour, log_cost, managed_hour, nodes_for,
    redis_cost, serverless_hour, total_cost, usd, wire_bytes,
)  # fmt: skip

PAGE = HERE.parents[1] / "docs/scaling.md"
BURST = tomllib.loads((HERE / "burst.toml").read_text())

RATES = (10, 100, 1_000, 10_000, 100_000)
RUNS = (0.05, 1, 10, 100)
RATIOS = (None, 0, 0.5, 0.8, 0.95)


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
    sampled = [log_cost(configurations.HITS, sample) for sample in (1, 0.1)]
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
        "configurations": rows(configurations.table()),
        "rate": configurations.RATE,
        "run": configurations.RUN,
        "hits": f"{configurations.HITS * 100:.0f}",
        "alarm": f"{PRICE['alarm']:.2f}",
        "dashboard": f"{PRICE['dashboard']:.0f}",
        "metric": f"{PRICE['metric']:.2f}",
        "log_whole": f"{sampled[0]:.2f}",
        "log_sampled": f"{sampled[1]:.2f}",
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
