"""The targets, what each is measured by, and why those that are missed are: texts that are shown only then."""

import statistics

from contestants import ASYNC, LESSON, MEMORY, MEMORY_CORES, REDIS, TRITON
from contestants import BARE as BARE_SERVER
from functions import BARE, BARE_GET, BARE_MODEL
from rows import MB, MIB, MICROSECONDS, MINUTES, Row, at_least, at_most
from servers import KERNEL, PROCESSOR, RATE

FUNCTION = "a bare `lambda_http` function"


def of_counts(budget):
    """From the committed counts."""

    def ratio(path):
        return [budget[path]["instructions"] / budget[path]["bare"]]

    return [
        Row("instructions per invocation, hit in memory", FUNCTION, at_most(0.9), ratio("hit in memory")),
        Row("instructions per invocation, hit in Redis", f"{FUNCTION} + GET", at_most(1), ratio("hit in Redis")),
    ]


def of_functions(functions):
    first = (
        "The code of a first request is not yet in memory or in the processor's caches. The first request of the bare function with a GET takes "
        f"{statistics.median(functions.first_less_warm(BARE_GET)):.0f} µs more than a warm one. The connection is already open: the service "
        "connects before it asks for its first event."
    )
    memory = (
        f"A bare function that runs the model in tract, and does nothing else, has "
        f"{functions.median(BARE_MODEL, 'peak_mib'):.1f} MiB itself, the service {functions.median(MEMORY, 'peak_mib'):.1f}. Most of it is "
        "pages of the binary, of which the kernel maps sixteen around each that is used."
    )
    hit = (
        "The service executes fewer instructions (row 1), but more of its binary has to be in the processor's caches. A lookup in memory takes "
        "less than a microsecond, and deferrable work is done after the response."
    )
    return [
        Row("event → response, hit in memory", FUNCTION, at_most(1), functions.ratios(MEMORY, "hit"), why=hit),
        Row("event → response, hit in Redis", f"{FUNCTION} + GET", at_most(1.15), functions.ratios(REDIS, "hit")),
        Row(
            "event → response, miss, cache in memory",
            f"{FUNCTION} + model run",
            at_most(1.15),
            functions.ratios(MEMORY, "miss"),
        ),
        Row(
            "event → response, miss, cache in Redis",
            f"{FUNCTION} + GET + model run",
            at_most(1.15),
            functions.ratios(REDIS, "miss"),
        ),
        Row("spawn → first `/next`", f"{FUNCTION} + model load", at_most(1), functions.starts_to_model()),
        Row(
            "first request of a fresh process, a hit in Redis: how much more time it takes",
            "its warm request",
            at_most(0, MICROSECONDS),
            functions.first_less_warm(REDIS),
            why=first,
        ),
        *(
            Row(
                f"peak resident memory, cache in {where}: how much more",
                FUNCTION,
                at_most(6, MIB),
                functions.more_memory(name),
                why=memory,
            )
            for where, name in (("memory", MEMORY), ("Redis", REDIS))
        ),
    ]


def of_servers(servers):
    whats = {RATE: "local server, requests per second", PROCESSOR: "local server, requests per second of its processor time"}
    hits = {MEMORY: "hits in memory", MEMORY_CORES: "hits in memory, one worker per core", REDIS: "hits in Redis"}

    def row(what, connections, ours, other, limit, why=""):
        on = f"{connections} connection{'s' if connections != '1' else ''}"
        against = "one worker" if other == MEMORY else other
        floor = [] if other in (BARE_SERVER, MEMORY) else servers.ratios(what, connections, BARE_SERVER, other)
        measured = servers.ratios(what, connections, ours, other)
        return Row(f"{whats[what]}: {hits[ours]}, {on}", against, at_least(limit), measured, floor, why)

    spent = {}
    for name in (BARE_SERVER, MEMORY, MEMORY_CORES, REDIS):
        kernel = servers.median(name, "16", KERNEL)
        spent[name] = f"{servers.median(name, '16', PROCESSOR) - kernel:.1f} µs in its own code and {kernel:.1f} in the kernel"
    memory = (
        f"Per request, the bare server spends {spent[BARE_SERVER]}, the service {spent[MEMORY]}: it checks each field, and its response has "
        "four more headers. Already done: futures of a third of the size, ids without a system call, compilation for speed."
    )
    redis = f"Per request, the service spends {spent[REDIS]}, where it talks to both Redis and the client."
    stored = (
        "This FastAPI application stores the body of the response, so that a hit neither validates nor serialises it. " + redis
    )
    cores = (
        f"Two workers and the load generator are three threads on two cores: the workers are preempted, and find fewer requests per wake-up. "
        f"Per request, one worker spends {spent[MEMORY]}, two spend {spent[MEMORY_CORES]}. The workers share the memory cache, where a "
        "contended lookup takes up to 0.1 µs."
    )
    times = {name: servers.latency(name, "1")[50] for name in servers.runs}
    alone = (
        "On one connection, the kernel and the client take most of a request's time. From request to response, the bare server "
        f"takes {times[BARE_SERVER]:.0f} µs in the median, the service {times[MEMORY]:.0f}, Triton {times.get(TRITON, 0):.0f}."
    )
    return [
        row(RATE, "1", MEMORY, TRITON, 2, alone),
        row(RATE, "16", MEMORY_CORES, TRITON, 1.5),
        row(RATE, "1", REDIS, LESSON, 3),
        row(RATE, "1", REDIS, ASYNC, 5, stored),
        row(RATE, "16", REDIS, LESSON, 20),
        row(RATE, "16", REDIS, ASYNC, 30, stored),
        row(PROCESSOR, "16", MEMORY, BARE_SERVER, 0.6, memory),
        row(PROCESSOR, "16", MEMORY, TRITON, 3, memory),
        row(PROCESSOR, "16", REDIS, LESSON, 30, redis),
        row(PROCESSOR, "16", REDIS, ASYNC, 30, stored),
        row(PROCESSOR, "16", MEMORY_CORES, MEMORY, 0.9, cores),
    ]


def of_builds(first_build, zipped):
    return [
        Row("`cargo run --release` in an empty clone", "–", at_most(5, MINUTES), [first_build["seconds"] / 60]),
        Row("function, zipped", "–", at_most(50, MB), [zipped / 1e6]),
    ]
