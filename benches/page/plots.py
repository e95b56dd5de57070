"""The plots of docs/benchmarks.md."""

import math

import contestants
import functions
from plot import Plot
from servers import PROCESSOR, RATE
from svg import Svg

BAR, LEFT, WIDTH = 16, 300, 560

# Each function's and server's colour and stroke, in every plot the same.
STYLES = {
    contestants.BARE: (4, "dashed"),
    functions.BARE: (4, "dashed"),
    functions.BARE_GET: (4, "dotted"),
    contestants.MEMORY: (0, "solid"),
    contestants.MEMORY_CORES: (0, "dashed"),
    contestants.LOGGING: (0, "dotted"),
    contestants.REDIS: (2, "solid"),
    contestants.TRITON: (3, "solid"),
    contestants.MLSERVER: (3, "dashed"),
    contestants.LESSON: (1, "solid"),
    contestants.ASYNC: (5, "solid"),
    contestants.ASYNC_CORES: (5, "dashed"),
}


def ticks(ends, text):
    """1, 3, 10, 30 and so on, from one end to the other."""
    values = (digit * 10**power for power in range(math.ceil(math.log10(ends[1]))) for digit in (1, 3))
    return [(value, text(value)) for value in values if ends[0] <= value <= ends[1]]


def ends(values):
    """A little more than the range of the values."""
    return min(values) / 1.3, max(values) * 1.3


def throughput(servers):
    curves = {name: [(int(each), servers.median(name, each, RATE)) for each in servers.connections] for name in servers.runs}
    y = ends([rate for curve in curves.values() for _, rate in curve])
    x = [int(each) for each in servers.connections]
    names = ([(connections, str(connections)) for connections in x], ticks(y, lambda rate: f"{rate:,}"))
    plot = Plot("Local server: answers from the cache, by connections (more is better)", (x[0], x[-1]), y, names)
    plot.axes("connections", "requests per second")
    for name, curve in curves.items():
        colour, stroke = STYLES[name]
        plot.curve(name, colour, curve, stroke)
    return plot.svg.finish()


def latencies(title, curves):
    """For each name the percentiles: how many requests took longer than a time."""
    x = ends([time for curve in curves.values() for time in curve.values()])
    shares = [(0.5, "half"), (0.1, "1 in 10"), (0.01, "1 in 100"), (0.001, "1 in 1,000")]
    names = (ticks(x, lambda time: f"{time} µs" if time < 1000 else f"{time // 1000} ms"), shares)
    plot = Plot(f"{title} (further left is better)", x, (0.0008, 1), names)
    plot.axes("a request takes longer than this", "share of the requests")
    for name, curve in curves.items():
        colour, stroke = STYLES[name]
        plot.curve(name, colour, [(time, 1 - share / 100) for share, time in curve.items()], stroke)
    return plot.svg.finish()


def bars(title, values, unit=""):
    """With the figures beside them."""
    svg = Svg(950, 60 + 30 * len(values), title)
    svg.heading((20, 28), title)
    for position, (name, value) in enumerate(values.items()):
        y, end = 60 + 30 * position, LEFT + WIDTH * value / max(values.values())
        svg.text((LEFT - 10, y + 4), name, "end")
        svg.line([(LEFT, y), (end, y)], STYLES[name][0], width=BAR)
        svg.text((end + 8, y + 4), f"{value:,.0f}{unit}" if value >= 10 else f"{value:.1f}{unit}")
    return svg.finish()


def all_of(of_functions, of_servers):
    """Names and plots."""
    compared = [functions.BARE, functions.BARE_GET, contestants.MEMORY, contestants.REDIS, contestants.ASYNC, contestants.LESSON]
    cold = {name: (of_functions.median(name, "start") + of_functions.median(name, "first_request")) / 1000 for name in compared}
    hits = {name: of_functions.percentiles(name, "hit") for name in compared}
    alone = {name: of_servers.latency(name, "1") for name in of_servers.runs}
    processor = {name: of_servers.median(name, "16", PROCESSOR) for name in of_servers.runs}
    return {
        "cold-start": bars("Function: from the spawn of a process to its first response (less is better)", cold, " ms"),
        "function-latency": latencies("Function: latency of hits", hits),
        "throughput": throughput(of_servers),
        "latency": latencies("Local server: latency on one connection", alone),
        "processor": bars("Local server: processor time per request on 16 connections (less is better)", processor, " µs"),
    }.items()
