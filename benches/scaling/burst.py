#!/usr/bin/env python3
"""Starts many copies of the function at once against a Redis and a cluster of three, and writes benches/scaling/burst.json:
`make simulate-burst`. COPIES is how many (200); BINARY is the service to use, without it cargo builds one.

Fails if any answer is not 200 or not the model's, or if a first lookup found nothing: every prediction is stored.
"""

import asyncio
import contextlib
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cpu
from functions import Function, application, event
from processes import binary, environment, redis, redis_cluster

RESULTS = Path(__file__).with_name("burst.json")
STORED = 412
MORE = 20


class Info:
    """A connection to a Redis of our own, which stays open when Redis takes no more."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.lock = reader, writer, asyncio.Lock()

    @classmethod
    async def of(cls, node):
        return cls(*await asyncio.open_connection("127.0.0.1", node.port))

    async def get(self, section):
        async with self.lock:
            self.writer.write(f"INFO {section}\r\n".encode())
            length = int((await self.reader.readline())[1:])
            lines = (await self.reader.readexactly(length + 2)).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)


async def watch(infos, most):
    """Notes the most clients of each node, besides ourselves."""
    while True:
        for number, info in enumerate(infos):
            clients = int((await info.get("clients"))["connected_clients"]) - 1
            most[number] = max(most[number], clients)
        await asyncio.sleep(0.02)


async def counters(infos):
    """Processor seconds and refused connections of all nodes."""
    seconds, refused = 0.0, 0
    for info in infos:
        used = await info.get("cpu")
        seconds += float(used["used_cpu_user"]) + float(used["used_cpu_sys"])
        refused += int((await info.get("stats"))["rejected_connections"])
    return seconds, refused


async def run(program, nodes, variables, copies, together, expected):
    """One burst. `together`: all have started and are given their first event at the same time; else each as it asks."""
    infos = [await Info.of(node) for node in nodes]
    limits = [int((await info.get("clients"))["maxclients"]) for info in infos]
    events = [event(n) for n in range(STORED)]
    plans = [[(n, events[n]) for n in ((copy * 7 + step) % STORED for step in range(1 + MORE))] for copy in range(copies)]
    functions = [Function() for _ in range(copies)]
    most = [0] * len(nodes)
    watching = asyncio.create_task(watch(infos, most))
    try:
        if not together:
            for function, plan in zip(functions, plans, strict=True):
                function.give(plan[:1])
        before, _ = await counters(infos)
        began = time.perf_counter()
        for function in functions:
            await function.start(program, variables)
            # Who has been started already is served meanwhile.
            await asyncio.sleep(0)
        await asyncio.wait_for(asyncio.gather(*(function.asked.wait() for function in functions)), 300)
        started = time.perf_counter() - began
        before_connecting, _ = await counters(infos) if together else (before, 0)
        if together:
            began = time.perf_counter()
            for function, plan in zip(functions, plans, strict=True):
                function.give(plan[:1])
        await asyncio.wait_for(asyncio.gather(*(function.idle.wait() for function in functions)), 300)
        answered = time.perf_counter() - began
        processor = sum(function.cpu_seconds() for function in functions)
        first = [answer for function in functions for answer in function.take()]

        after, _ = await counters(infos)
        for function, plan in zip(functions, plans, strict=True):
            function.give(plan[1:])
        await asyncio.wait_for(asyncio.gather(*(function.idle.wait() for function in functions)), 300)
        more = [answer for function in functions for answer in function.take()]
        _, refused = await counters(infos)
        for number, info in enumerate(infos):
            most[number] = max(most[number], int((await info.get("clients"))["connected_clients"]) - 1)
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        for function in functions:
            function.end()
        for info in infos:
            info.writer.close()

    def count(answers, detail):
        return sum(detail in answer.outcome for answer in answers)

    waited = sorted(answer.seconds * 1000 for answer in first)
    return {
        "copies": copies,
        "together": together,
        "nodes": len(nodes),
        "maxclients": limits[0],
        "started_ms": started * 1000,
        "answered_ms": answered * 1000,
        "p50_ms": statistics.median(waited),
        "p99_ms": waited[min(len(waited) - 1, int(len(waited) * 0.99))],
        "max_ms": waited[-1],
        "first": len(first),
        "first_hits": count(first, "detail=redis"),
        "first_unavailable": count(first, "detail=unavailable"),
        "more": len(more),
        "more_hits": count(more, "detail=redis"),
        "more_unavailable": count(more, "detail=unavailable"),
        "connections": most,
        "refused": refused,
        "cpu_ms_per_copy": processor * 1000 / copies,
        "redis_us_per_copy": (after - before_connecting) * 1e6 / copies,
        "errors": sum(answer.status != 200 for answer in first + more),
        "wrong": sum(answer.body != expected[answer.number] for answer in first + more),
    }


def mistakes(result, connects=True):
    """What must not be."""
    found = [f"{result[name]} {name}" for name in ("errors", "wrong") if result[name]]
    for phase, requests in (("first", result["copies"]), ("more", result["copies"] * MORE)):
        if result[phase] != requests:
            found.append(f"{result[phase]} {phase} answers to {requests} requests")
        if result[f"{phase}_hits"] + result[f"{phase}_unavailable"] != result[phase]:
            found.append(f"{phase} lookups that were neither a hit nor unavailable")
    if connects and (result["refused"] or max(result["connections"]) > 2 * result["copies"]):
        found.append(f"{result['refused']} refused connections, {result['connections']} open")
    if not connects and not result["refused"]:
        found.append("no connection was refused, which was the point")
    return found


async def answers_of_the_model(program):
    """The body for each stored input, from a copy without Redis."""
    function = Function()
    try:
        await function.start(program, {})
        function.give([(n, event(n)) for n in range(STORED)])
        await asyncio.wait_for(function.idle.wait(), 60)
        answers = function.take()
    finally:
        function.end()
    if len(answers) != STORED or any(answer.status != 200 for answer in answers):
        raise SystemExit("the reference did not answer")
    return {answer.number: answer.body for answer in answers}


def fill(program, variables):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as inputs:
        inputs.write("".join(json.dumps(application(n)) + "\n" for n in range(STORED)))
        inputs.flush()
        subprocess.run(
            [program, "cache", "warm", inputs.name], env=environment(**variables), check=True, stdout=subprocess.DEVNULL
        )


def main():
    copies = int(os.environ.get("COPIES", "200"))
    if copies < 8:
        sys.exit("COPIES: at least 8")
    sizes = [copies // part for part in (8, 4, 2, 1)]
    program = binary()
    load = os.getloadavg()[0]
    expected = asyncio.run(answers_of_the_model(program))
    runs, faults = [], []

    def measure(store, nodes, variables, size, together, connects=True):
        result = {"store": store} | asyncio.run(run(program, nodes, variables, size, together, expected))
        runs.append(result)
        faults.extend(f"{store}, {size} copies: {mistake}" for mistake in mistakes(result, connects))
        print(json.dumps(result))

    with redis() as store, redis_cluster(3) as nodes:
        single = {"REDIS_URL": store.url}
        cluster = {"REDIS_URL": nodes[0].url, "REDIS_CLUSTER": "true"}
        for variables in (single, cluster):
            fill(program, variables)
        for together in (False, True):
            for size in sizes:
                measure("one Redis", [store], single, size, together)
                measure("cluster of three", nodes, cluster, size, together)
        per_request = cpu.measure(program, single)
    with redis() as store:
        fill(program, {"REDIS_URL": store.url})
        store.command("CONFIG", "SET", "maxclients", str(copies // 2))
        measure(f"one Redis, `maxclients` {copies // 2}", [store], {"REDIS_URL": store.url}, copies, True, connects=False)

    if faults:
        sys.exit("\n".join(faults))
    results = {
        "date": datetime.date.today().isoformat(),
        "cores": os.cpu_count(),
        "load_before": load,
        "copies": copies,
        "more": MORE,
        "stored": STORED,
        "runs": runs,
        "cpu": per_request,
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
