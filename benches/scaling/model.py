"""The formulas of docs/scaling.md, over its inputs: prices, limits and assumptions (prices.toml), and what was measured."""

import json
import math
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
ARCHITECTURES = ("arm64", "x86_64")


class Inputs:
    """All figures that go in."""

    def __init__(self, burst):
        self.book = tomllib.loads((HERE / "prices.toml").read_text())
        self.measurements = tomllib.loads((HERE / "measured.toml").read_text())
        self.burst = json.loads(Path(burst).read_text())
        cited = {entry["source"] for kind in ("price", "limit") for entry in self.book[kind].values()}
        if cited != set(self.book["sources"]):
            raise SystemExit(f"prices.toml: cited or listed, but not both: {sorted(cited ^ set(self.book['sources']))}")
        for name, entry in self.measurements.items():
            found = re.findall(entry["pattern"], (ROOT / entry["document"]).read_text())
            if len(found) != 1:
                raise SystemExit(f"measured.toml: {name} is in {entry['document']} {len(found)} times in place of once")
            entry["value"] = float(found[0]) * entry.get("scale", 1)

    def price(self, name):
        return self.book["price"][name]["usd"]

    def limit(self, name):
        return self.book["limit"][name]["value"]

    def assumed(self, name):
        return self.book["assumption"][name]["value"]

    def measured(self, name):
        return self.measurements[name]["value"]

    def cpu(self, where, outcome):
        """Milliseconds of a full core for a request, besides the model."""
        return self.burst["cpu"][f"{where}_ms"][outcome]


class Model:
    """The calculations. `run` is a run of the model in milliseconds on a full core, `hits` the hit ratio; None is no cache."""

    def __init__(self, inputs):
        self.inputs = inputs
        self.gigabytes = inputs.assumed("memory_megabytes") / 1024
        self.share = min(1, inputs.assumed("memory_megabytes") / inputs.limit("vcpu_megabytes"))

    # --- Time ---------------------------------------------------------------------------------------------------------------

    def durations(self, run, hits):
        """How long invocations take, and which part of them takes that long."""
        cpu, trip = (lambda outcome: self.inputs.cpu("function", outcome) / self.share), self.inputs.assumed("lookup_ms")
        run = run / self.share
        if hits is None:
            return [(cpu("none") + run, 1.0)]
        return [(cpu("hit") + trip, hits), (cpu("miss") + 2 * trip + run, 1 - hits)]

    def mean(self, run, hits):
        return sum(time * part for time, part in self.durations(run, hits))

    def billed(self, run, hits):
        step = self.inputs.limit("billing_ms")
        return sum(math.ceil(time / step) * step * part for time, part in self.durations(run, hits))

    def busy(self, rate, run, hits):
        """Environments at work on average."""
        return rate * self.mean(run, hits) / 1000

    def concurrency(self, rate, run, hits):
        """The concurrency limit that this takes: for peaks of what is busy, and for the request rate."""
        busy = self.busy(rate, run, hits)
        return math.ceil(max(busy + 3 * math.sqrt(busy), rate / self.inputs.limit("requests_per_environment")))

    # --- Cost of a million requests -----------------------------------------------------------------------------------------

    def duration_cost(self, run, hits, architecture="arm64"):
        return self.billed(run, hits) * 1000 * self.gigabytes * self.inputs.price(f"lambda_{architecture}")

    def serverless_hour(self, rate, hits, gigabytes=0.1):
        """A Serverless cache for an hour: what is stored, and a unit for each lookup and each write."""
        moved = self.inputs.measured("key_bytes") + self.inputs.measured("value_bytes")
        units = rate * 3600 * (2 - hits) * max(1, moved / self.inputs.limit("unit_bytes"))
        return max(0.1, gigabytes) * self.inputs.price("serverless_gb") + units / 1e6 * self.inputs.price("serverless_ecpu")

    def redis_cost(self, rate, hits):
        return 0 if hits is None else self.serverless_hour(rate, hits) / (rate * 3600) * 1e6

    def log_bytes(self, hits):
        line = (hits or 0) * self.inputs.measured("log_hit_bytes") + (1 - (hits or 0)) * self.inputs.measured("log_miss_bytes")
        return line + self.inputs.assumed("platform_log_bytes")

    def log_cost(self, hits):
        return self.log_bytes(hits) / 1000 * self.inputs.price("logs")

    def egress_cost(self):
        return self.inputs.assumed("response_bytes") / 1000 * self.inputs.price("egress")

    def total_cost(self, run, hits, architecture="arm64", rate=100, gateway="http_api"):
        return (
            self.inputs.price("lambda_request")
            + self.inputs.price(gateway)
            + self.duration_cost(run, hits, architecture)
            + self.redis_cost(rate, hits)
            + self.log_cost(hits)
            + self.egress_cost()
        )

    def cache_pays_from(self, rate, hits):
        """The model's time from which on the cache lowers the bill."""

        def saves(run):
            return self.duration_cost(run, hits) + self.redis_cost(rate, hits) < self.duration_cost(run, None)

        return last_crossing(saves, logarithmic(0.01, 2000, 4000))

    # --- Ways to run it, in dollars an hour at a rate; Redis and logs are left out, since they are the same ------------------

    def gateway_hour(self, rate, gateway):
        million = rate * 3600 / 1e6
        if gateway is None:
            return 0
        if gateway == "http_api":
            month = million * self.inputs.assumed("hours_per_month")
            beyond = max(0, month - 300)
            cost = (month - beyond) * self.inputs.price("http_api") + beyond * self.inputs.price("http_api_beyond")
            return cost / self.inputs.assumed("hours_per_month")
        gigabytes = rate * 3600 * (self.inputs.assumed("request_bytes") + self.inputs.assumed("response_bytes")) / 1e9
        units = gigabytes / self.inputs.limit("lcu_gigabytes")
        return self.inputs.price("balancer") + units * self.inputs.price("balancer_unit")

    def lambda_hour(self, rate, run, hits, gateway="http_api"):
        million = rate * 3600 / 1e6
        return million * (self.inputs.price("lambda_request") + self.duration_cost(run, hits)) + self.gateway_hour(rate, gateway)

    def cores(self, rate, run, hits, where):
        """Cores that the requests of a second occupy, planned with room."""
        if hits is None:
            cpu = self.inputs.cpu(where, "none") + run
        else:
            cpu = hits * self.inputs.cpu(where, "hit") + (1 - hits) * (self.inputs.cpu(where, "miss") + run)
        return rate * cpu / 1000 / self.inputs.assumed("utilisation")

    def managed_hour(self, rate, run, hits, gateway="http_api", peak=1):
        instances = max(self.inputs.limit("managed_instances"), math.ceil(self.cores(rate * peak, run, hits, "function") / 4))
        hour = instances * (self.inputs.price("managed_instance") + self.inputs.price("managed_fee"))
        return hour + rate * 3600 / 1e6 * self.inputs.price("lambda_request") + self.gateway_hour(rate, gateway)

    def fargate_hour(self, rate, run, hits, peak=1):
        tasks = max(self.inputs.assumed("container_tasks"), math.ceil(self.cores(rate * peak, run, hits, "server")))
        memory = self.inputs.assumed("fargate_task_gb") * self.inputs.price("fargate_gb_arm64")
        task = self.inputs.price("fargate_vcpu_arm64") + memory
        return tasks * task + self.gateway_hour(rate, "balancer")

    def ec2_hour(self, rate, run, hits, peak=1):
        instances = max(self.inputs.assumed("container_tasks"), math.ceil(self.cores(rate * peak, run, hits, "server") / 2))
        return instances * self.inputs.price("c7g_large") + self.gateway_hour(rate, "balancer")

    def cheaper_from(self, this, that):
        """The rate from which on `this(rate)` costs less than `that(rate)`; None if it does not up to 100,000 a second."""
        return last_crossing(lambda rate: this(rate) < that(rate), logarithmic(0.1, 100_000, 3000))

    def provisioned_utilisation(self, architecture):
        """The part of the time that provisioned concurrency must be busy, to cost less than what it replaces."""
        idle, busy, on_demand = (
            self.inputs.price(f"{kind}_{architecture}") for kind in ("provisioned", "provisioned_duration", "lambda")
        )
        return idle / (on_demand - busy)

    # --- Redis --------------------------------------------------------------------------------------------------------------

    def wire_bytes(self):
        """Bytes of a lookup that hits, one that misses, and a write, both ways: RESP, three TCP segments, two TLS records."""
        key, value, overhead = self.inputs.measured("key_bytes"), self.inputs.measured("value_bytes"), 3 * 52 + 2 * 22

        def command(*lengths):
            return len(f"*{len(lengths)}\r\n") + sum(len(f"${length:.0f}\r\n\r\n") + length for length in lengths)

        def bulk(length):
            return len(f"${length:.0f}\r\n\r\n") + length

        get = command(3, key) + overhead
        put = command(3, key, value, 2, 6) + len("+OK\r\n") + overhead
        return get + bulk(value), get + len("$-1\r\n"), put

    def redis_bytes(self, rate, hits):
        hit, miss, put = self.wire_bytes()
        return rate * (hits * hit + (1 - hits) * (miss + put))


def logarithmic(low, high, steps):
    return [low * (high / low) ** (step / steps) for step in range(steps + 1)]


def last_crossing(holds, values):
    """The first of the values from which on it holds for all: None if it does not for the last."""
    first = None
    for value in reversed(values):
        if not holds(value):
            break
        first = value
    return first
