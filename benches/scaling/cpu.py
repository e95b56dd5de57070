"""The processor time of a request, as a function and on the local server: counted by the kernel, for the whole process."""

import asyncio
import json
import os
import socket
from pathlib import Path

from functions import Function, application, event
from processes import environment, process, until

REQUESTS = 2000


def seconds(pid):
    tasks = Path(f"/proc/{pid}/task")
    return sum(int((tasks / task / "schedstat").read_text().split()[0]) for task in os.listdir(tasks)) / 1e9


async def of_function(program, variables, plans):
    """Milliseconds per request of each plan (a list of events), one after the other."""
    function = Function()
    try:
        await function.start(program, variables)
        spent = []
        for plan in plans:
            await asyncio.wait_for(function.asked.wait(), 60)
            before = function.cpu_seconds()
            function.give(plan)
            await asyncio.wait_for(function.idle.wait(), 120)
            answers = function.take()
            if any(answer.status != 200 for answer in answers) or len(answers) != len(plan):
                raise SystemExit("a function did not answer")
            spent.append((function.cpu_seconds() - before) * 1000 / len(plan))
        return spent
    finally:
        function.end()


def ask(connection, number, control):
    body = json.dumps(application(number))
    head = f"POST /decisions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncache-control: {control}\r\n"
    connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1 << 16)
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(head.decode())
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(1 << 16)
    return head.decode()


def of_server(program, variables, plans):
    """The same of the local server, for plans of (numbers, cache-control, what cache-status must say)."""
    with process([program], env=environment(PORT="0", LOG_LEVEL="info", WORKERS="1", **variables)) as (child, log):
        until(lambda: "listening on" in log.read_text(), "it listens", of=child)
        port = int(log.read_text().partition("listening on http://127.0.0.1:")[2].split()[0].rstrip("/"))
        spent = []
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ask(connection, 0, "no-store")
            for numbers, control, expected in plans:
                before = seconds(child.pid)
                heads = [ask(connection, number, control) for number in numbers]
                spent.append((seconds(child.pid) - before) * 1000 / len(heads))
                if sum(expected in head for head in heads) < 0.99 * len(heads):
                    raise SystemExit(f"expected {expected}")
        return spent


def measure(program, variables):
    """Milliseconds per request: a hit in Redis, a miss that is stored, and what is computed without a cache."""
    apart = variables | {"MEMORY_CACHE_ENTRIES": "0"}
    fresh = range(REQUESTS)
    none = {"MEMORY_CACHE_ENTRIES": "0"}
    plan = [(n, event(n)) for n in fresh]
    function = asyncio.run(of_function(program, apart | {"CACHE_NAMESPACE": "cpu-function"}, [plan, plan]))
    function += asyncio.run(of_function(program, none, [plan]))
    miss, hit = (fresh, "max-age=0", "fwd=miss"), (fresh, "max-age=0", "hit; detail=redis")
    server = of_server(program, apart | {"CACHE_NAMESPACE": "cpu-server"}, [miss, hit])
    server += of_server(program, none, [(fresh, "max-age=0", "fwd=bypass")])
    names = ["miss", "hit", "none"]
    return {
        "requests": REQUESTS,
        "function_ms": dict(zip(names, function, strict=True)),
        "server_ms": dict(zip(names, server, strict=True)),
    }
