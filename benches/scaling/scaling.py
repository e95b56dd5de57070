#!/usr/bin/env python3
"""Calculates docs/scaling.md and its plots from prices.toml, measured.toml and burst.json: `make scaling`.

`--check` writes nothing and fails if the committed page or plots are not what would be written.
"""

import re
import sys

import plots
import tables

from model import HERE, ROOT, Inputs, Model

PAGE = ROOT / "docs/scaling.md"
PLOTS = ROOT / "docs/scaling"


def values(model):
    """What the template's placeholders stand for."""
    inputs, utilisation = model.inputs, [model.provisioned_utilisation(each) for each in ("arm64", "x86_64")]
    alone, three = (
        max((run for run in inputs.burst["runs"] if run["store"] == store and run["together"]), key=lambda run: run["copies"])
        for store in ("one Redis", "cluster of three")
    )
    starting = max((run for run in inputs.burst["runs"] if not run["together"]), key=lambda run: (run["copies"], -run["nodes"]))
    hit, miss, put = model.wire_bytes()
    crowd = [run for run in inputs.burst["runs"] if run["store"] == "one Redis" and run["copies"] == inputs.burst["copies"]]
    crowded = next(run for run in inputs.burst["runs"] if run["refused"])
    return {
        "date": str(inputs.book["date"]),
        "region": inputs.book["region"],
        "share": f"{model.share:.2f}",
        "memory": f"{inputs.assumed('memory_megabytes')}",
        "lookup": f"{inputs.assumed('lookup_ms'):g}",
        "environments": tables.environments(model),
        "durations": tables.durations(model),
        "network": tables.network(model),
        "memory_rows": tables.memory(model),
        "duration_costs": tables.duration_costs(model),
        "totals": tables.totals(model),
        "cache_pays": tables.cache_pays(model),
        "alternatives": tables.alternatives(model),
        "provisioned": tables.provisioned(model),
        "burst": tables.burst(model),
        "processor": tables.processor(model),
        "prices": tables.prices(inputs),
        "limits": tables.limits(inputs),
        "assumptions": tables.assumptions(inputs),
        "measured": tables.measured(inputs),
        "hit_bytes": f"{hit:.0f}",
        "miss_bytes": f"{miss:.0f}",
        "put_bytes": f"{put:.0f}",
        "log_cost_hit": tables.usd(model.log_cost(1)),
        "log_cost_miss": tables.usd(model.log_cost(0)),
        "egress": tables.usd(model.egress_cost()),
        "request": f"{inputs.price('lambda_request'):.2f}",
        "http_api": f"{inputs.price('http_api'):.2f}",
        "rest_more": f"{inputs.price('rest_api') - inputs.price('http_api'):.2f}",
        "utilisation": f"{utilisation[0] * 100:.0f}",
        "x86_utilisation": f"{utilisation[1] * 100:.0f}",
        "least_billed": f"{utilisation[0] * 1000 / inputs.limit('requests_per_environment'):.0f}",
        "pays_80": tables.count(model.cache_pays_from(100, 0.8)),
        "saves_100": tables.usd(model.total_cost(100, None) - model.total_cost(100, 0.8)),
        "total_1": f"{model.total_cost(1, 0.8):.2f}",
        "duration_1": tables.usd(model.duration_cost(1, 0.8)),
        "fargate_1": tables.count(
            model.cheaper_from(lambda rate: model.fargate_hour(rate, 1, 0.8), lambda rate: model.lambda_hour(rate, 1, 0.8))
        ),
        "fargate_url_1": tables.count(
            model.cheaper_from(lambda rate: model.fargate_hour(rate, 1, 0.8), lambda rate: model.lambda_hour(rate, 1, 0.8, None))
        ),
        "default_rate": f"{inputs.limit('concurrency') * inputs.limit('requests_per_environment'):,}",
        "fixed": tables.usd(model.serverless_hour(0, 0) * inputs.assumed("hours_per_month")),
        "copies": str(inputs.burst["copies"]),
        "more": str(inputs.burst["more"]),
        "stored": str(inputs.burst["stored"]),
        "cores": str(inputs.burst["cores"]),
        "load": f"{inputs.burst['load_before']:.1f}",
        "burst_date": inputs.burst["date"],
        "requests": f"{inputs.burst['cpu']['requests']:,}",
        "start_cpu": f"{starting['cpu_ms_per_copy']:.1f}",
        "start_bound": f"{starting['copies'] * starting['cpu_ms_per_copy'] / inputs.burst['cores']:.0f}",
        "start_all": f"{starting['answered_ms']:.0f}",
        "alone_unavailable": str(alone["first_unavailable"]),
        "three_unavailable": str(three["first_unavailable"]),
        "alone_redis": f"{alone['redis_us_per_copy']:.0f}",
        "three_redis": f"{three['redis_us_per_copy']:.0f}",
        "thousand_redis": f"{alone['redis_us_per_copy']:.0f}",
        "in_time": tables.count(50_000 / alone["redis_us_per_copy"]),
        "steady_redis": f"{inputs.limit('scaling') * alone['redis_us_per_copy'] / 1e4:.1f}",
        "crowded_refused": f"{crowded['refused']:,}",
        "crowded_limit": str(crowded["maxclients"]),
        "crowded_unavailable": str(crowded["first_unavailable"]),
        "most_connections": str(max(max(run["connections"]) for run in crowd)),
        "most_late": f"{max(run['more_unavailable'] for run in crowd):,}",
        "most_more": f"{crowd[0]['more']:,}",
        "cold_start": f"{inputs.measured('cold_start_ms'):g}",
        "forest": f"{inputs.measured('forest_ms'):.2g}",
        "tier": f"{inputs.measured('tier_low'):.0f}",
        "sources": tables.sources(inputs),
    }


def render(template, values):
    names = set(re.findall(r"\{(\w+)\}", template))
    if names != set(values):
        raise SystemExit(f"scaling.md.in and scaling.py differ in {sorted(names ^ set(values))}")
    return re.sub(r"\{(\w+)\}", lambda name: values[name[1]].rstrip("\n"), template)


def main(burst=HERE / "burst.json"):
    model = Model(Inputs(burst))
    written = {
        PAGE: render((HERE / "scaling.md.in").read_text(), values(model)),
        PLOTS / "cost.svg": plots.cost_of_a_million(model),
        PLOTS / "rate.svg": plots.cost_by_rate(model, 10, 0.8),
    }
    for path, text in written.items():
        if "--check" not in sys.argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.exit(f"{path.relative_to(ROOT)} is not what its inputs give: run `make scaling`")


if __name__ == "__main__":
    main()
