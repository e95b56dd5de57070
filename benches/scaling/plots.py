"""The plots of docs/scaling.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))
from plot import Plot

from model import logarithmic


def draw(plot, name, colour, cost, stroke="solid", steps=400):
    plot.curve(name, colour, [(x, cost(x)) for x in logarithmic(*plot.x, steps)], stroke)


def cost_of_a_million(model):
    plot = Plot(
        "What a million requests cost, by the time of the model (arm64)",
        (0.03, 300),
        (0.003, 10),
        (
            [(0.1, "0.1 ms"), (1, "1 ms"), (10, "10 ms"), (100, "100 ms")],
            [(0.01, "$0.01"), (0.1, "$0.10"), (1, "$1"), (10, "$10")],
        ),
    )
    plot.axes("a run of the model on a full core takes", "US dollars")
    plot.note("duration, and Redis")
    plot.note("at 100 requests per second:")
    draw(plot, "no cache", 4, lambda run: model.duration_cost(run, None))
    for colour, hits in ((1, 0.5), (0, 0.8), (2, 0.95)):
        draw(
            plot,
            f"{hits:.0%} hits".replace("%", " %"),
            colour,
            lambda run, hits=hits: model.duration_cost(run, hits) + model.redis_cost(100, hits),
        )
    plot.next += 12
    plot.note("in any case:")
    draw(plot, "HTTP API", 3, lambda run: model.inputs.price("http_api"), "dashed", 1)
    draw(plot, "logs (80 % hits)", 5, lambda run: model.log_cost(0.8), "dashed", 1)
    draw(plot, "requests to Lambda", 3, lambda run: model.inputs.price("lambda_request"), "dotted", 1)
    return plot.svg.finish()


def cost_by_rate(model, run, hits):
    month = model.inputs.assumed("hours_per_month")
    plot = Plot(
        f"Ways to run it, by steady request rate: a model of {run} ms, {hits:.0%} hits (arm64)".replace("%", " %"),
        (1, 100_000),
        (3, 300_000),
        ([(10**n, f"{10**n:,}") for n in range(6)], [(10**n, f"${10**n:,}") for n in range(1, 6)]),
    )
    plot.axes("requests per second, day and night", "US dollars a month, without Redis and logs")
    for name, colour, cost in (
        ("Lambda, HTTP API", 0, lambda rate: model.lambda_hour(rate, run, hits)),
        ("Managed Instances, HTTP API", 3, lambda rate: model.managed_hour(rate, run, hits)),
        ("Lambda, function URL", 2, lambda rate: model.lambda_hour(rate, run, hits, None)),
        ("Fargate, load balancer", 1, lambda rate: model.fargate_hour(rate, run, hits)),
        ("EC2 c7g.large, load balancer", 4, lambda rate: model.ec2_hour(rate, run, hits)),
    ):
        draw(plot, name, colour, lambda rate, cost=cost: cost(rate) * month)
    return plot.svg.finish()
