"""The section on the function, from benches/lambda/results.json."""

import statistics

from contestants import ASYNC, LESSON, MEMORY, REDIS
from rows import table

BARE, BARE_GET, BARE_MODEL, BARE_GET_MODEL = "bare", "bare + GET", "bare + model", "bare + GET + model"
# What the service does in the left column, the function in the right does and nothing else.
FLOORS = {
    (MEMORY, "start"): BARE,
    (MEMORY, "hit"): BARE,
    (MEMORY, "miss"): BARE_MODEL,
    (REDIS, "hit"): BARE_GET,
    (REDIS, "miss"): BARE_GET_MODEL,
    (MEMORY, "peak_mib"): BARE,
    (REDIS, "peak_mib"): BARE,
}


class Functions:
    def __init__(self, results):
        self.results = results
        self.functions = results["functions"]

    def rounds(self, name, what):
        return self.functions[name]["rounds"][what]

    def median(self, name, what):
        return statistics.median(self.rounds(name, what))

    def percentiles(self, name, what):
        return dict(self.functions[name]["percentiles"][what])

    def floor(self, name, what):
        return self.rounds(FLOORS[name, what], what)

    def ratios(self, name, what):
        """To the floor, of each round."""
        return [mine / its for mine, its in zip(self.rounds(name, what), self.floor(name, what), strict=True)]

    def starts_to_model(self):
        """The start of the service to that of a bare function that loads the same model, of each round."""
        return [mine / its for mine, its in zip(self.rounds(MEMORY, "start"), self.rounds(BARE_MODEL, "start"), strict=True)]

    def more_memory(self, name):
        return [mine - its for mine, its in zip(self.rounds(name, "peak_mib"), self.floor(name, "peak_mib"), strict=True)]

    def first_less_warm(self, name):
        pairs = zip(self.rounds(name, "first_request"), self.rounds(name, "warm_request"), strict=True)
        return [first - warm for first, warm in pairs]

    def table(self):
        return table([name, *self.cells(name)] for name in self.functions)

    def cells(self, name):
        times = [f"{self.median(name, what):,.0f}" for what in ("start", "first_request", "warm_request", "miss", "hit")]
        return [*times, f"{self.median(name, 'peak_mib'):.1f}"]

    def values(self):
        sizes, fresh = self.results["bytes"], self.results["fresh"]
        return {
            "functions": self.table(),
            "function_rounds": str(self.results["rounds"]),
            "function_inputs": str(self.results["inputs"]),
            "fresh": str(fresh["Rust"]),
            "fresh_in_python": str(fresh["Python"]),
            "binary": f"{sizes['binary'] / (1 << 20):.1f}",
            "binary_bare": f"{sizes['bare'] / (1 << 20):.1f}",
        }

    def readme(self):
        """The table of README.md: the service, its floor, and the functions in Python, which always use Redis."""
        lines = []
        for text, name, what in (
            ("spawn → first `/next`", MEMORY, "start"),
            ("event → response: hit in memory", MEMORY, "hit"),
            ("event → response: hit in Redis", REDIS, "hit"),
            ("event → response: miss, cache in memory", MEMORY, "miss"),
            ("event → response: miss, cache in Redis", REDIS, "miss"),
            ("peak resident memory", REDIS, "peak_mib"),
        ):
            floor, ratio = FLOORS[name, what], statistics.median(self.ratios(name, what))
            python = [readable(self.median(other, what), what) for other in (ASYNC, LESSON)]
            in_python = python if name == REDIS or what == "start" else ["", ""]
            mine, its = (readable(self.median(each, what), what) for each in (name, floor))
            lines.append([text, mine, f"{its} ({floor})", f"{ratio:.2f}×", *in_python])
        return (
            "| | predict-once | floor | ratio | FastAPI, async | FastAPI, lesson |\n|---|--:|--:|--:|--:|--:|\n"
            + table(lines)
            + "\n"
        )


def readable(value, what):
    if what == "peak_mib":
        return f"{value:.1f} MiB"
    return f"{value:,.0f} µs" if value < 1000 else f"{value / 1000:,.1f} ms"
