"""The plots of docs/scaling.md."""

import math

from svg import Svg

from model import logarithmic

LEFT, TOP, WIDTH, HEIGHT = 100, 52, 560, 380


class Plot:
    """A plot with two logarithmic axes and its key to the right."""

    def __init__(self, title, x, y, names):
        self.x, self.y = x, y
        self.svg = Svg(950, 504, title)
        self.svg.heading((20, 28), title)
        for value, text in names[0]:
            self.svg.grid(self.at(value, y[0]), self.at(value, y[1]))
            self.svg.soft((self.at(value, y[0])[0], TOP + HEIGHT + 18), text, "middle")
        for value, text in names[1]:
            self.svg.grid(self.at(x[0], value), self.at(x[1], value))
            self.svg.soft((LEFT - 8, self.at(x[0], value)[1] + 4), text, "end")
        self.next = TOP + 10

    def at(self, x, y):
        def share(value, ends):
            return math.log(value / ends[0]) / math.log(ends[1] / ends[0])

        return LEFT + WIDTH * share(x, self.x), TOP + HEIGHT * (1 - share(min(max(y, self.y[0]), self.y[1]), self.y))

    def axes(self, x, y):
        self.svg.soft((LEFT + WIDTH / 2, TOP + HEIGHT + 42), x, "middle")
        self.svg.upright((18, TOP + HEIGHT / 2), y)

    def curve(self, name, colour, cost, stroke="solid", steps=400):
        points = [(x, cost(x)) for x in logarithmic(*self.x, steps)]
        inside = [point for point in points if self.y[0] <= point[1] <= self.y[1]]
        self.svg.line([self.at(*point) for point in inside], colour, stroke)
        self.key(name, colour, stroke)

    def key(self, name, colour, stroke="solid"):
        left = LEFT + WIDTH + 24
        self.svg.line([(left, self.next - 4), (left + 32, self.next - 4)], colour, stroke)
        self.svg.text((left + 40, self.next), name)
        self.next += 22

    def note(self, text):
        self.svg.text((LEFT + WIDTH + 24, self.next), text)
        self.next += 22


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
    plot.curve("no cache", 4, lambda run: model.duration_cost(run, None))
    for colour, hits in ((1, 0.5), (0, 0.8), (2, 0.95)):
        plot.curve(
            f"{hits:.0%} hits".replace("%", " %"),
            colour,
            lambda run, hits=hits: model.duration_cost(run, hits) + model.redis_cost(100, hits),
        )
    plot.next += 12
    plot.note("in any case:")
    plot.curve("HTTP API", 3, lambda run: model.inputs.price("http_api"), "dashed", 1)
    plot.curve("logs (80 % hits)", 5, lambda run: model.log_cost(0.8), "dashed", 1)
    plot.curve("requests to Lambda", 3, lambda run: model.inputs.price("lambda_request"), "dotted", 1)
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
        plot.curve(name, colour, lambda rate, cost=cost: cost(rate) * month)
    return plot.svg.finish()
