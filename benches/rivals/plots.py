"""The plots of docs/benchmarks.md."""

import math
import statistics
import sys
from pathlib import Path

import contestants

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))
from plot import Plot
from svg import Svg

BAR, LEFT, WIDTH = 16, 300, 560

# Each contestant's colour and stroke, in every plot the same.
STYLES = {
    contestants.BARE: (4, "dashed"),
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


def throughput(runs):
    curves = {
        name: [(int(connections), statistics.median(run["rate"] for run in measured)) for connections, measured in of.items()]
        for name, of in runs.items()
    }
    y = ends([rate for curve in curves.values() for _, rate in curve])
    x = [connections for connections, _ in next(iter(curves.values()))]
    names = ([(connections, str(connections)) for connections in x], ticks(y, lambda rate: f"{rate:,}"))
    plot = Plot("Answers from the cache, by connections (more is better)", (x[0], x[-1]), y, names)
    plot.axes("connections", "requests per second")
    for name, curve in curves.items():
        colour, stroke = STYLES[name]
        plot.curve(name, colour, curve, stroke)
    return plot.svg.finish()


def latencies(curves):
    """For each contestant the percentiles: how many requests took longer than a time."""
    x = ends([time for curve in curves.values() for time in curve.values()])
    shares = [(0.5, "half"), (0.1, "1 in 10"), (0.01, "1 in 100"), (0.001, "1 in 1,000")]
    names = (ticks(x, lambda time: f"{time} µs" if time < 1000 else f"{time // 1000} ms"), shares)
    plot = Plot("Latency on one connection (further left is better)", x, (0.0008, 1), names)
    plot.axes("a request takes longer than this", "share of the requests")
    for name, curve in curves.items():
        colour, stroke = STYLES[name]
        plot.curve(name, colour, [(time, 1 - share / 100) for share, time in curve.items()], stroke)
    return plot.svg.finish()


def processor(times):
    """Bars, with the figures beside them."""
    title = "Processor time of the server per request, on 16 connections, in µs (less is better)"
    svg = Svg(950, 60 + 30 * len(times), title)
    svg.heading((20, 28), title)
    for position, (name, time) in enumerate(times.items()):
        y, end = 60 + 30 * position, LEFT + WIDTH * time / max(times.values())
        svg.text((LEFT - 10, y + 4), name, "end")
        svg.line([(LEFT, y), (end, y)], STYLES[name][0], width=BAR)
        svg.text((end + 8, y + 4), f"{time:.0f}")
    return svg.finish()
