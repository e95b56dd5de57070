"""The section on the local server, from benches/rivals/results.json."""

import statistics

from rows import table

RATE, PROCESSOR, KERNEL = "rate", "processor", "kernel"


class Servers:
    def __init__(self, results):
        self.results = results
        self.runs = results["runs"]
        self.connections = list(next(iter(self.runs.values())))

    def median(self, name, connections, what):
        return statistics.median(run[what] for run in self.runs[name][connections])

    def ratios(self, what, connections, ours, other):
        """Of each round: what ran one after the other is compared. None if one of them was not measured."""
        if not {ours, other} <= self.runs.keys():
            return []
        pairs = zip(self.runs[ours][connections], self.runs[other][connections], strict=True)
        # Time per request is the inverse of requests per time.
        return [mine[RATE] / its[RATE] if what == RATE else its[PROCESSOR] / mine[PROCESSOR] for mine, its in pairs]

    def latency(self, name, connections):
        """Of each percentile, the median of the rounds."""
        rounds = zip(*(run["latency"] for run in self.runs[name][connections]), strict=True)
        return {each[0][0]: statistics.median(time for _, time in each) for each in rounds}

    def range(self, name, what, digits):
        """On the most connections."""
        figures = [run[what] for run in self.runs[name][self.connections[-1]]]
        return f"{min(figures):,.{digits}f} – {max(figures):,.{digits}f}"

    def rates(self):
        return table(
            [name, *(f"{self.median(name, each, RATE):,.0f}" for each in self.connections), self.range(name, RATE, 0)]
            for name in self.runs
        )

    def processor(self):
        lines = []
        for name in self.runs:
            times = [f"{self.median(name, each, PROCESSOR):.1f}" for each in self.connections]
            kernel = f"{self.median(name, self.connections[-1], KERNEL):.1f}"
            lines.append([name, *times, self.range(name, PROCESSOR, 1), kernel])
        return table(lines)

    def latencies(self):
        lines = []
        for name in self.runs:
            alone, sixteen = self.latency(name, "1"), self.latency(name, "16")
            lines.append([name, *(f"{each[share]:,.0f}" for each in (alone, sixteen) for share in (50, 99, 99.9))])
        return table(lines)

    def values(self):
        return {
            "connections": " | ".join(self.connections),
            "rates": self.rates(),
            "processor": self.processor(),
            "latencies": self.latencies(),
            "seconds": str(self.results["seconds"]),
            "server_rounds": str(self.results["rounds"]),
            "golden_inputs": f"{self.results['inputs']:,}",
        }
