"""docs/benchmarks.md and its plots, from what a run measured."""

import re
import statistics
from pathlib import Path

import plots
from contestants import ASYNC, BARE, LESSON, MEMORY, MEMORY_CORES, REDIS, ROOT, TRITON

PAGE = ROOT / "docs/benchmarks.md"
PLOTS = ROOT / "docs/benchmarks"

RATE, PROCESSOR = "rate", "processor"
WHAT = {RATE: "requests per second", PROCESSOR: "requests per second of the server's processor time"}

# What is compared, on how many connections, ours, the other, and how many times as good ours is to be.
TARGETS = (
    (RATE, "1", MEMORY, TRITON, 2),
    (RATE, "16", MEMORY, TRITON, 1.5),
    (RATE, "16", MEMORY_CORES, TRITON, 1.5),
    (RATE, "1", REDIS, LESSON, 3),
    (RATE, "1", REDIS, ASYNC, 5),
    (RATE, "16", REDIS, LESSON, 20),
    (RATE, "16", REDIS, ASYNC, 30),
    (PROCESSOR, "16", MEMORY, BARE, 0.6),
    (PROCESSOR, "16", MEMORY, TRITON, 3),
    (PROCESSOR, "16", REDIS, LESSON, 30),
    (PROCESSOR, "16", REDIS, ASYNC, 30),
    (PROCESSOR, "16", MEMORY_CORES, MEMORY, 0.9),
)


def median(runs, name, connections, what):
    return statistics.median(run[what] for run in runs[name][connections])


def ratios(runs, what, connections, ours, other):
    """Of each round: what ran one after the other is compared."""
    pairs = zip(runs[ours][connections], runs[other][connections], strict=True)
    # Time per request is the inverse of requests per time.
    return [mine[RATE] / its[RATE] if what == RATE else its[PROCESSOR] / mine[PROCESSOR] for mine, its in pairs]


def targets(runs):
    lines = []
    for what, connections, ours, other, target in TARGETS:
        if other not in runs:
            result = [f"not measured: {other} cannot be installed here", "", ""]
        elif ours not in runs:
            result = ["not measured: the service has one worker", "", ""]
        else:
            measured = ratios(runs, what, connections, ours, other)
            ratio = statistics.median(measured)
            floor = statistics.median(ratios(runs, what, connections, BARE, other))
            verdict = "met" if ratio >= target else "**missed**"
            result = [f"{ratio:.2f}× ({min(measured):.2f} – {max(measured):.2f})", verdict, f"{floor:.2f}×"]
        lines.append([WHAT[what], connections, ours, other, f"≥ {target}×", *result])
    return table(lines)


def rates(runs, connections):
    lines = []
    for name, of in runs.items():
        measured = [f"{median(runs, name, each, RATE):,.0f}" for each in connections]
        spread = [run[RATE] for run in of[connections[-1]]]
        lines.append([name, *measured, f"{min(spread):,.0f} – {max(spread):,.0f}"])
    return table(lines)


def processor(runs, connections):
    return table([name, *(f"{median(runs, name, each, PROCESSOR):.1f}" for each in connections)] for name in runs)


def latency(runs, connections):
    """Of each percentile, the median of the rounds."""
    rounds = zip(*(run["latency"] for run in runs[connections]), strict=True)
    return {each[0][0]: statistics.median(time for _, time in each) for each in rounds}


def latencies(runs):
    lines = []
    for name, of in runs.items():
        alone, sixteen = latency(of, "1"), latency(of, "16")
        lines.append([name, *(f"{each[percentile]:,.0f}" for each in (alone, sixteen) for percentile in (50, 99, 99.9))])
    return table(lines)


def table(lines):
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def write(results):
    runs, machine = results["runs"], results["machine"]
    connections = list(next(iter(runs.values())))
    values = {
        "date": results["date"],
        "seconds": str(results["seconds"]),
        "rounds": str(results["rounds"]),
        "inputs": f"{results['inputs']:,}",
        "processor_name": machine["processor"],
        "cores": str(machine["cores"]),
        "kernel": machine["kernel"],
        "load_before": f"{machine['load_before']:.1f}",
        "versions": ", ".join(f"{name} {version}" for name, version in results["versions"].items()),
        "connections": " | ".join(connections),
        "all_cores": f"| {MEMORY_CORES} | with `WORKERS={machine['cores']}` |\n" if MEMORY_CORES in runs else "",
        "targets": targets(runs),
        "rates": rates(runs, connections),
        "processor": processor(runs, connections),
        "latencies": latencies(runs),
    }
    template = Path(__file__).with_name("benchmarks.md.in").read_text()
    PAGE.write_text(re.sub(r"\{(\w+)\}", lambda name: values[name[1]], template))
    PLOTS.mkdir(exist_ok=True)
    (PLOTS / "throughput.svg").write_text(plots.throughput(runs))
    (PLOTS / "processor.svg").write_text(plots.processor({name: median(runs, name, "16", PROCESSOR) for name in runs}))
    (PLOTS / "latency.svg").write_text(plots.latencies({name: latency(of, "1") for name, of in runs.items()}))
