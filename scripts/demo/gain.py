#!/usr/bin/env python3
"""gain.py URL: measures the demo's service with and without its cache, by hit ratio, and prints the mean times as bars."""

import http.client
import json
import random
import sys
import time
from urllib.parse import urlsplit

from text_model import OTHER_WORDS

REQUESTS = 20
REPEATED = [0, 0.5, 0.75, 0.9]  # shares of the requests
WIDTH = 40


class Service:
    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)

    def topic(self, ticket, headers=None):
        """The milliseconds of a request, and whether the cache answered it."""
        start = time.perf_counter()
        self.connection.request(
            "POST", "/topics", json.dumps({"ticket": ticket}), {"content-type": "application/json", **(headers or {})}
        )
        response = self.connection.getresponse()
        response.read()
        milliseconds = 1000 * (time.perf_counter() - start)
        if response.status != 200:
            sys.exit(f"the service answered {response.status}")
        return milliseconds, "; hit" in response.headers["cache-status"]


def new_ticket():
    return "My order: " + " ".join(random.sample(OTHER_WORDS, 8))


def main():
    service = Service(sys.argv[1])
    known = [new_ticket() for _ in range(3)]
    for ticket in known:
        # A prediction is stored after its answer has been sent.
        while not service.topic(ticket)[1]:
            pass
    rows = {"without the cache": 0} | {f"{share:.0%} repeated": round(share * REQUESTS) for share in REPEATED}
    requests = []
    for name, hits in rows.items():
        headers = {"cache-control": "no-store"} if name == "without the cache" else {}
        requests += [(name, random.choice(known) if number < hits else new_ticket(), headers) for number in range(REQUESTS)]
    # What else the machine does then slows all rows alike.
    random.shuffle(requests)
    times, hits = dict.fromkeys(rows, 0), dict.fromkeys(rows, 0)
    for name, ticket, headers in requests:
        milliseconds, hit = service.topic(ticket, headers)
        times[name] += milliseconds / REQUESTS
        hits[name] += hit
    if hits != rows:
        sys.exit(f"hits should have been {rows}, and were {hits}")
    for name, milliseconds in times.items():
        print(f"{name:>18}  {'█' * max(1, round(WIDTH * milliseconds / max(times.values())))} {milliseconds:.1f} ms")


if __name__ == "__main__":
    main()
