#!/usr/bin/env python3
"""Writes docs/benchmarks.md, its plots and the table of README.md from what was measured last, and prints the targets:
`make bench-page`.
"""

import json
import re
import statistics
import sys
from pathlib import Path

BENCHES = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(BENCHES / folder) for folder in ("rivals", "shared", "../tests/support")]

import plots
import targets
from contestants import ROOT
from functions import Functions
from processes import write_measured
from rows import table
from servers import Servers

DOCS = ROOT / "docs"


def read(file):
    return json.loads((BENCHES / file).read_text())


def measured_on(about):
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (
        f"{about['date']}, {about['processor']}, {about['cores']} cores, Linux {about['kernel']}, load average before the run "
        f"{about['load_before']:.1f}; {versions}"
    )


def counts(budget):
    lines = []
    for path, bare in (("start", "bare"), ("hit in memory", "bare"), ("hit in Redis", "bare + GET")):
        mine, its = budget[path]["instructions"], budget[path]["bare"]
        lines.append([path, f"{mine:,}", f"{its:,} ({bare})", f"{mine / its:.2f}×"])
    return table(lines)


def missed(rows):
    """An item for each reason, with the numbers of the rows that have it."""
    reasons = {}
    for number, row in enumerate(rows, 1):
        if row.missed:
            why = row.why or "Not explained yet."
            if row.floor and not row.target.holds(statistics.median(row.floor)):
                why = f"The floor misses it too. {why}"
            reasons.setdefault(why, []).append(str(number))
    return "\n".join(f"* **{', '.join(numbers)}**: {why}" for why, numbers in reasons.items())


def main():
    functions, servers = Functions(read("lambda/results.json")), Servers(read("rivals/results.json"))
    first_build, budget = read("first_build.json"), read("instructions/budget.json")
    rows = [
        *targets.of_counts(budget),
        *targets.of_functions(functions),
        *targets.of_servers(servers),
        *targets.of_builds(first_build, functions.results["bytes"]["zip"]),
    ]
    values = {
        "targets": table([str(number), *row.cells()] for number, row in enumerate(rows, 1)),
        "missed": missed(rows),
        "counts": counts(budget),
        "function_machine": measured_on(functions.results["about"]),
        "server_machine": measured_on(servers.results["about"]),
        "build_machine": measured_on(first_build["about"]),
        **functions.values(),
        **servers.values(),
    }
    template = Path(__file__).with_name("benchmarks.md.in").read_text()
    (DOCS / "benchmarks.md").write_text(re.sub(r"\{(\w+)\}", lambda name: values[name[1]], template))
    for name, plot in plots.all_of(functions, servers):
        (DOCS / "benchmarks" / f"{name}.svg").write_text(plot)
    write_measured("README.md", "function", functions.readme())
    for row in rows:
        what, against, target, result, verdict, _ = row.cells()
        print(f"{verdict.strip('*'):7} {target:11} {result:30} {what} / {against}")


if __name__ == "__main__":
    main()
