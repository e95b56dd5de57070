"""The tables of docs/scaling.md."""

from model import ARCHITECTURES

RATES = (10, 100, 1_000, 10_000, 100_000)
RUNS = (0.05, 1, 10, 100)
RATIOS = (None, 0, 0.5, 0.8, 0.95)


def usd(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.2g}"


def count(value):
    """A number of two or more significant digits."""
    if value is None:
        return "–"
    if value >= 100:
        return f"{float(f'{value:.2g}'):,.0f}"
    return f"{value:.2g}"


def rows(lines):
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def environments(model):
    cases = [(0.05, None), (10, None), (10, 0.8), (100, None), (100, 0.8)]
    limit, scaling = model.inputs.limit("concurrency"), model.inputs.limit("scaling")
    lines = []
    for rate in RATES:
        least, most = model.concurrency(rate, 0.05, None), model.concurrency(rate, 100, None)
        busy = [count(model.busy(rate, *case)) for case in cases]
        limits = [f"{number:,}{' *' if number > limit else ''}" for number in (least, most)]
        gateway = "yes" if rate <= model.inputs.limit("gateway_requests") else "to be raised"
        lines.append([f"{rate:,}", *busy, *limits, gateway, f"{least / scaling:.0f} – {most / scaling:.0f} s"])
    return rows(lines)


def durations(model):
    lines = []
    for run in RUNS:
        (hit, _), (miss, _) = model.durations(run, 0.5)
        none = model.mean(run, None)
        lines.append([f"{run:g}", f"{hit:.1f}", f"{miss:.1f}", f"{none:.1f}"])
    return rows(lines)


def network(model, hits=0.8):
    lines = []
    for rate in RATES:
        month = model.serverless_hour(rate, hits) * model.inputs.assumed("hours_per_month")
        lines.append([f"{rate:,}", count(rate * (2 - hits)), f"{model.redis_bytes(rate, hits) * 8 / 1e6:,.1f}", usd(month)])
    return rows(lines)


def memory(model):
    month, lines = model.inputs.assumed("hours_per_month"), []
    nodes = [("t4g.micro", "node_t4g_micro", 0.5), ("t4g.small", "node_t4g_small", 1.37), ("m7g.large", "node_m7g_large", 6.38)]
    for millions in (0.1, 1, 10, 100):
        gigabytes = millions * 1e6 * model.inputs.measured("entry_bytes") / 1e9
        fits = [node for node in nodes if node[2] * 1.0737 * (1 - model.inputs.limit("node_reserved")) >= gigabytes]
        if fits:
            name, price, _ = fits[0]
            node = f"2 × {name}: {usd(model.inputs.price(price) * model.inputs.assumed('redis_nodes') * month)}"
        else:
            name, price, size = nodes[-1]
            shards = -int(-gigabytes // (size * 1.0737 * (1 - model.inputs.limit("node_reserved"))))
            cost = model.inputs.price(price) * model.inputs.assumed("redis_nodes") * shards * month
            node = f"{shards} shards of 2 × {name}: {usd(cost)}"
        serverless = max(0.1, gigabytes) * model.inputs.price("serverless_gb") * month
        lines.append([f"{millions:g} million", f"{gigabytes:.2g} GB", usd(serverless), node])
    return rows(lines)


def duration_costs(model):
    lines = []
    for run in RUNS:
        cells = []
        for hits in RATIOS:
            both = (model.duration_cost(run, hits, architecture) + model.redis_cost(100, hits) for architecture in ARCHITECTURES)
            cells.append(" / ".join(usd(cost) for cost in both))
        lines.append([f"{run:g}", *cells])
    return rows(lines)


def totals(model):
    lines = []
    for run in RUNS:
        lines.append([f"{run:g}", *(f"{model.total_cost(run, hits):.2f}" for hits in RATIOS)])
    return rows(lines)


def cache_pays(model):
    lines = []
    for rate in (1, 10, 100, 1_000):
        lines.append([f"{rate:,}", *(count(model.cache_pays_from(rate, hits)) for hits in (0.5, 0.8, 0.95))])
    return rows(lines)


def alternatives(model):
    lines = []
    for run in RUNS:
        for hits in (None, 0.8):

            def api(rate, run=run, hits=hits):
                return model.lambda_hour(rate, run, hits)

            def url(rate, run=run, hits=hits):
                return model.lambda_hour(rate, run, hits, None)

            def managed(rate, run=run, hits=hits):
                return model.managed_hour(rate, run, hits)

            def fargate(rate, run=run, hits=hits):
                return model.fargate_hour(rate, run, hits)

            def peaks(rate, run=run, hits=hits):
                return model.fargate_hour(rate, run, hits, peak=4)

            def ec2(rate, run=run, hits=hits):
                return model.ec2_hour(rate, run, hits)

            pairs = ((managed, api), (fargate, api), (peaks, api), (fargate, url), (ec2, api), (ec2, url))
            cells = [count(model.cheaper_from(this, that)) for this, that in pairs]
            lines.append([f"{run:g}", "none" if hits is None else f"{hits:.0%}".replace("%", " %"), *cells])
    return rows(lines)


def provisioned(model):
    lines, needed = [], model.provisioned_utilisation("arm64")
    for run in RUNS:
        billed = model.billed(run, None)
        rate = needed * 1000 / billed
        reachable = "yes" if rate <= model.inputs.limit("requests_per_environment") else "no"
        lines.append([f"{run:g}", f"{billed:.0f}", count(rate), reachable])
    return rows(lines)


def burst(model):
    lines = []
    for run in model.inputs.burst["runs"]:
        connections = " / ".join(str(number) for number in run["connections"])
        lines.append(
            [
                run["store"],
                "at once" if run["together"] else "as they start",
                str(run["copies"]),
                f"{run['answered_ms']:.0f}",
                f"{run['p50_ms']:.1f} / {run['p99_ms']:.1f} / {run['max_ms']:.1f}",
                str(run["first_hits"]),
                str(run["first_unavailable"]),
                f"{run['more_hits']:,}",
                f"{run['more_unavailable']:,}",
                connections,
                f"{run['refused']:,}",
                str(run["errors"] + run["wrong"]),
            ]
        )
    return rows(lines)


def processor(model):
    names = {"hit": "hit in Redis", "miss": "miss, stored in Redis", "none": "computed, no cache"}
    return rows(
        [names[outcome], f"{model.inputs.cpu('function', outcome):.3f}", f"{model.inputs.cpu('server', outcome):.3f}"]
        for outcome in ("none", "hit", "miss")
    )


def number(inputs, entry):
    """The number of its source in the list of them."""
    return str(1 + list(inputs.book["sources"]).index(entry["source"]))


def sources(inputs):
    entries = inputs.book["sources"].values()
    texts = (f"[{entry['text']}]({entry['url']})" if "url" in entry else entry["text"] for entry in entries)
    return "".join(f"{number}. {text}\n" for number, text in enumerate(texts, 1))


def prices(inputs):
    def plain(usd):
        return f"{usd:.10f}".rstrip("0").rstrip(".")

    return rows([plain(entry["usd"]), entry["per"], number(inputs, entry)] for entry in inputs.book["price"].values())


def limits(inputs):
    return rows([f"{entry['value']:,}", entry["text"], number(inputs, entry)] for entry in inputs.book["limit"].values())


def assumptions(inputs):
    return rows([f"{e['value']:,}", e["text"]] for e in inputs.book["assumption"].values())


def measured(inputs):
    return rows(
        [f"{e['value']:.4g}", e["text"], f"[{e['document']}]({link(e['document'])})"] for e in inputs.measurements.values()
    )


def link(document):
    """From docs/ to a document of the repository."""
    return document.removeprefix("docs/") if document.startswith("docs/") else f"../{document}"
