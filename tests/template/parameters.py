"""Feeds the same values to template.yaml and to the service: whatever a parameter accepts, the variable behind it accepts too, and the
other way round. `run` starts it.
"""

import os
import re
import subprocess
import sys

from cloudformation import ROOT, Refused, load, transformed, with_defaults

sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402
from processes import binary, environment  # noqa: E402

REDIS = {"REDIS_URL": "rediss://cache.example"}
COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
IAM = REDIS | {"REDIS_AUTH": "iam", "AWS_REGION": "eu-central-1"}
REGION = {"AWS_REGION": "eu-central-1"}
BOOLEANS = ["true", "false", "True", "1", "yes"]

# The variable behind each parameter, the variables that it needs, and values of which the service accepts some and refuses others.
VALUES = {
    "CorsAllowedOrigins": (
        "CORS_ALLOWED_ORIGINS",
        {},
        [
            "", "*", "https://a.example", "http://localhost:3000", "https://a.example,https://b.example", "https://a.example, http://b",
            "http://[::1]:8080", "https://a.example:80", "http://a.example:443", "https://a.example:65535", "https://my_shop.example",
            "https://a.example/", "https://a.example/path", "https://a.example:443", "http://a.example:80", "https://a.example:0444",
            "https://a.example:65536", "https://a.example:99999", "https://a.example:", "https://A.example", "https://*.example",
            "https://user@a.example", "https://", "a.example", "ftp://a.example", "null", "https://a.example,", "https://a.example,*",
            "*,https://a.example", "https://b.example,https://a.example:443", "https://a.example:443,https://b.example",
            "http://a.example:80,http://b.example", "https://a example", "https://a.example?b",
        ],
    ),
    "ModelUri": (
        "MODEL_URI",
        REGION,
        ["", "s3://models/a.tar", "s3://my.models-1/a/b_c-1.tar.gz"]
        + ["s3://models", "s3://models/", "s3://m/a", "s3://Models/a", "https://models/a", "s3://models/a b", "s3://models/a%20b", "models/a"],
    ),
    "ModelFingerprint": ("MODEL_FINGERPRINT", {}, ["", "0123456789abcdef", "0123456789ABCDEF", "0123", "0123456789abcdef0", "x" * 16]),
    "CorsAllowedHeaders": (
        "CORS_ALLOWED_HEADERS",
        {},
        ["", "x-client-version", "X-A,x-b", "x-a, x-b", "x_a!", "x a", "x:a", "x-a,", ",x-a", "é", "x-a;b", "(x)"],
    ),
    "ClientCacheControl": ("CLIENT_CACHE_CONTROL", {}, ["obey", "ignore", "Obey", "never"]),
    "BasePath": (
        "BASE_PATH",
        {},
        ["", "/ml", "/ml/v1", "/ml,/x", "/ml, /ml/v1", "/a-b.c_d~e", "/%20", "/$default", "/...", "/.a"]
        + ["/", "ml", "/ml/", "//ml", "/ml//v1", "/..", "/ml/.", "/../ml", "/.,/ml", "/ml,", "/ml,x", "/ml?x", "/a b", "/ä"],
    ),
    "MemoryCacheBytes": (
        "MEMORY_CACHE_BYTES",
        {},
        ["", "0", "67108864", "9999999999", "59999999999", "67999999999", "68699999999", "68709999999", "68718999999", "68719399999"]
        + ["68719469999", "68719475999", "68719476699", "68719476729", "68719476736"]
        + ["68719476737", "68719476740", "68719476800", "68719477000", "68719480000", "68720000000", "69000000000", "70000000000"]
        + ["100000000000", "-1", "1.5", "64M"],
    ),
    "RedisConnectionMaxAgeSeconds": (
        "REDIS_CONNECTION_MAX_AGE_SECONDS",
        REDIS,
        ["1", "300", "9999", "39999", "42999", "43199", "43200", "0", "43201", "43300", "44000", "50000", "100000", "-1", "1.5"],
    ),
    "MemoryCacheEntries": ("MEMORY_CACHE_ENTRIES", {}, ["", "0", "1000", "9999999", "10000000", "10000001", "99999999", "-1", "1.5", "many"]),
    "CacheTtlSeconds": (
        "CACHE_TTL_SECONDS",
        REDIS,
        ["1", "60", "9999999", "29999999", "30999999", "31499999", "31529999", "31535999", "31536000"]
        + ["0", "31536001", "31540000", "31600000", "32000000", "100000000", "1.5", "-1", "1e3", "week"],
    ),
    "CacheReadTimeoutMs": ("CACHE_READ_TIMEOUT_MS", REDIS, ["1", "50", "9999", "10000", "0", "10001", "99999", "50.5", "-1"]),
    "CacheWriteTimeoutMs": ("CACHE_WRITE_TIMEOUT_MS", REDIS, ["1", "250", "9999", "59999", "60000", "0", "60001", "99999", "0.5"]),
    "CacheNamespace": ("CACHE_NAMESPACE", {}, ["a", "A.b_c-9", "n" * 64, "n" * 65, "a:b", "*", "a b", "ä", "a?"]),
    "OldCacheNamespace": ("CACHE_NAMESPACE", {}, ["", "a", "n" * 64, "n" * 65, "a:b", "*"]),
    "CacheLayout": ("CACHE_LAYOUT", {}, ["string", "hash", "output", "String", "list"]),
    "CacheStrategy": ("CACHE_STRATEGY", {}, ["lookup_first", "auto", "never"]),
    "CacheBypass": ("CACHE_BYPASS", {}, BOOLEANS),
    "LogLevel": ("LOG_LEVEL", {}, ["off", "error", "warn", "info", "debug", "trace", "loud", "warning"]),
    "TraceSampleRatio": ("OTEL_TRACES_SAMPLER_ARG", COLLECTOR, ["0", "1", "0.25", "1.0", "0.000001", "1.5", "2", "-1", "NaN", "half"]),
    "LogSample": ("LOG_SAMPLE", {}, ["0", "1", "0.25", "1.0", "0.000001", "1.5", "2", "-1", "NaN", "10 %"]),
    "RedisCluster": ("REDIS_CLUSTER", REDIS, BOOLEANS),
    "RedisUrl": (
        "REDIS_URL",
        {},
        [
            "", "redis://a", "rediss://a:6380", "redis://10.0.0.1", "redis://user@a.example:6379", "redis://a/2", "redis://[::1]:6379/0",
            "rediss://a:65535", "a", "http://a", "redis://", "redis://a:0x", "redis://a:65536", "redis://a/zero", "redis://a?db=2",
            "redis://a/1?protocol=resp3", "redis:a",
        ],
    ),
    "RedisIamUser": ("REDIS_USERNAME", IAM | {"REDIS_IAM_CACHE_NAME": "a"}, ["predict-once"]),
    "RedisIamCache": ("REDIS_IAM_CACHE_NAME", IAM | {"REDIS_USERNAME": "a"}, ["Predictions-1"]),
}  # fmt: skip
# Paths in the function's file system, secrets and a flag that picks a fixed value: their text cannot be wrong.
UNCHECKED = {"ModelDir", "RedisCaFile", "RedisPasswordSecret", "CacheSigningKeySecret"}
# Names of AWS, whose rules the service does not know.
ONLY_ACCEPTED = {"RedisIamUser", "RedisIamCache"}

checks = Checks()


def template_accepts(name, value):
    try:
        with_defaults(load(), {name: value})
    except Refused:
        return False
    return True


def service_accepts(program, variable, value, others):
    """Whether the service gets past its settings, to the package that does not exist."""
    variables = others | {variable: value, "MODEL_DIR": "/nonexistent"}
    done = subprocess.run([program], env=environment(**variables), capture_output=True, text=True, timeout=60)
    (line,) = done.stderr.splitlines()
    # A valid MODEL_URI overrides the directory, and there are no credentials to fetch it with.
    if "/nonexistent" in line or "no AWS credentials" in line:
        return True
    if not line.startswith(f"Error: {variable} "):
        raise ValueError(f"{variable}={value}: {line}")
    return False


def referenced(node):
    """The names that an expression refers to."""
    if isinstance(node, list):
        return set().union(*map(referenced, node))
    if isinstance(node, dict):
        return {node["Ref"]} if node.keys() == {"Ref"} else set().union(*map(referenced, node.values()))
    return set(re.findall(r"\$\{(\w+)\}", node)) if isinstance(node, str) else set()


def prove_same_values(program):
    for name, (variable, others, values) in VALUES.items():
        verdicts = {value: (template_accepts(name, value), service_accepts(program, variable, value, others)) for value in values}
        different = {value: verdict for value, verdict in verdicts.items() if verdict[0] != verdict[1]}
        checks.check(f"{name} accepts of {len(values)} values those of {variable}", not different, different)
        seen = {accepted for accepted, _ in verdicts.values()}
        checks.check(f"{name}: values of both kinds", seen == {True, False} or name in ONLY_ACCEPTED, verdicts)
    template = load()
    variables = template["Resources"]["PredictOnce"]["Properties"]["Environment"]["Variables"]
    missing = (referenced(list(variables.values())) & template["Parameters"].keys()) - VALUES.keys() - UNCHECKED
    checks.check("every parameter whose text reaches the function is fed to both", not missing, missing)


def prove_numbers():
    """Lambda would refuse these after minutes; rules refuse them before anything is created."""
    for reserved, provisioned, accepted in (
        ("50", "0", True), ("0", "7", True), ("37", "0", True), ("50", "5", True), ("1000", "500", True),
        ("5", "10", False), ("10", "10", False), ("37", "5", False), ("50", "37", False),
    ):  # fmt: skip
        try:
            transformed({"ReservedConcurrency": reserved, "ProvisionedConcurrency": provisioned})
            found = True
        except Refused as refusal:
            found = refusal.by != "Concurrency"
        checks.equal(f"{provisioned} provisioned of {reserved} reserved environments", found, accepted)
    for name in ("MemorySize", "Timeout", "CacheNodeCount"):
        checks.check(f"{name} is a number", not template_accepts(name, "many"))


def main():
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
    with checks.part("the same values"):
        prove_same_values(binary())
    with checks.part("numbers"):
        prove_numbers()
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
