"""Runs the programs in docs/clients.md and README.md against a working and a failing service. `run` starts it.

A comment `<!-- runs: NAME -->` precedes each program, and `<!-- prints: NAME -->` or `<!-- answers: NAME -->` its result.
"""

import argparse
import asyncio
import base64
import concurrent.futures
import json
import re
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import http_sf
import openai
from faulty_proxy import FaultyProxy
from langchain_openai import OpenAIEmbeddings

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from checks import Checks  # noqa: E402
from processes import APPLICATION, ROOT, environment, service_url, until  # noqa: E402

# The complete programs, with timeouts, retries and error handling.
COMPLETE = ["curl", "requests", "typescript", "rust"]
EMBEDDINGS = ["openai", "langchain"]
EMBEDDER = ROOT / "tests/packages/embedder"
SMALL = ["five-minutes", "mistake", "many", "short-python", "short-typescript"]
FAULTS = {"drop": "a closed connection", "cut": "a truncated answer"}
DEFAULT_URL = "http://127.0.0.1:8080"
TOTAL_SECONDS = 10
# Allows for a program's start on a busy machine.
SLACK_SECONDS = 4


def marked(kind):
    """The code after each comment of this kind in both documents, by name."""
    blocks = {}
    for document in ("README.md", "docs/clients.md"):
        text = (ROOT / document).read_text()
        found = re.findall(rf"<!-- {kind}: ([\w-]+) -->\n+```\w*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        assert len(found) == text.count(f"<!-- {kind}: "), f"{document}: a comment '{kind}' without code"
        for name, code in found:
            assert name not in blocks, f"{document}: duplicate {name}"
            blocks[name] = code
    return blocks


@dataclass
class Run:
    status: int
    output: str
    errors: str
    seconds: float

    @property
    def text(self):
        return self.output + self.errors


class Programs:
    """Writes each program to its own file and runs it."""

    def __init__(self, folder, rust_client, node):
        self.rust_client = str(rust_client)
        self.node = str(node)
        self.sources = marked("runs")
        self.files = {}
        for name, source in self.sources.items():
            suffix = ".mts" if "typescript" in name else ".py" if "import " in source else ".sh"
            # The prefix keeps requests.py from shadowing the library of that name.
            self.files[name] = Path(folder, f"client-{name}{suffix}")
            self.files[name].write_text(source)

    def run(self, name, url):
        program = self.files[name]
        # Programs without a variable for the address contain the default one.
        if "PREDICT_ONCE_URL" not in self.sources[name]:
            assert DEFAULT_URL in self.sources[name], f"{name} does not call the service"
            program = program.with_stem(f"client-{name}-{time.monotonic_ns()}")
            program.write_text(self.sources[name].replace(DEFAULT_URL, url))
        if name == "rust":
            command = [self.rust_client]
        elif program.suffix == ".mts":
            command = [self.node, str(program)]
        elif program.suffix == ".py":
            command = [sys.executable, str(program)]
        else:
            command = ["sh", str(program)]
        started = time.monotonic()
        done = subprocess.run(
            command, env=environment(PREDICT_ONCE_URL=url), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
        return Run(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


    def run_when_stored(self, name, url):
        """Runs the program as `run` does. An answer is stored after it has been sent, and until then an identical request shares its run."""
        return until(lambda: "collapsed" not in (done := self.run(name, url)).output and done, "the answer is stored")


def answered(run):
    """Whether the program succeeded and printed the decision."""
    return run.status == 0 and re.search(r'decision"?: ?"?(ACCEPT|DECLINE)\b', run.output) is not None


def check_complete(checks, programs, binary, name):
    """Checks one complete program. The curl program prints raw headers and cannot distinguish the two kinds of 504."""
    curl = name == "curl"

    def through(script):
        """Runs the program once against a new service, through a proxy with this script."""
        with service_url(binary) as url, FaultyProxy(url, script) as proxy:
            return programs.run(name, proxy.url), proxy.requests

    with checks.part(f"{name}: sends the example"), service_url(binary) as url:
        first, second = programs.run(name, url), programs.run_when_stored(name, url)
        checks.check(f"{name}: the example gets its decision", answered(first), first)
        checks.check(
            f"{name}: the first is a miss", re.search("fwd=miss$" if curl else "^cache: miss$", first.output, re.M), first
        )
        hit = r"hit; detail=memory$" if curl else r"^cache: hit \(memory\)$"
        checks.check(f"{name}: the second is a hit in memory", answered(second) and re.search(hit, second.output, re.M), second)
        timing = re.search(r"^server-timing: cache;dur=[\d.]+, model;dur=[\d.]+\s*$", first.output, re.M)
        checks.check(f"{name}: prints server-timing", timing, first)

    with checks.part(f"{name}: 503"):
        run, requests = through(["503", "503", "pass"])
        checks.check(f"{name}: retries after two 503s", answered(run) and len(requests) == 3, (run, len(requests)))
        ids = {request.get("x-request-id") for request in requests}
        checks.check(f"{name}: sends the same x-request-id with every attempt", len(ids) == 1 and None not in ids, ids)
        echoed = re.search(r"^x-request-id: (\S+)\s*$", run.output, re.M)
        checks.check(f"{name}: the service sends that x-request-id back", echoed and {echoed[1]} == ids, (run, ids))

    for script in (["drop", "429", "pass"], ["500", "502", "pass"], ["cut", "504", "pass"]):
        with checks.part(f"{name}: {script}"):
            run, requests = through(script)
            faults = " and ".join(FAULTS.get(step, step) for step in script[:-1])
            checks.check(
                f"{name}: retries after {faults}", answered(run) and len(requests) == len(script), (run, len(requests))
            )

    with checks.part(f"{name}: no listener"):
        with FaultyProxy("http://unused", ["pass"]) as closed:
            pass
        run = programs.run(name, closed.url)
        checks.check(f"{name}: fails without a listener", run.status != 0 and run.seconds < TOTAL_SECONDS + SLACK_SECONDS, run)

    with checks.part(f"{name}: 422"):
        run, requests = through(["spoil"])
        checks.check(f"{name}: does not retry a 422", run.status != 0 and len(requests) == 1, (run, len(requests)))
        checks.check(f"{name}: names the invalid fields", "/age_in_years" in run.text and "from 18 to 120" in run.text, run)
        kept = "30, without quotes" in run.text and '"male: single"' in run.text.replace("\\", "")
        checks.check(f"{name}: prints the suggestions", kept, run)

    if not curl:
        with checks.part(f"{name}: not-cached"):
            run, requests = through(["only-if-cached"])
            checks.check(
                f"{name}: does not retry the service's own 504", run.status != 0 and len(requests) == 1, (run, requests)
            )

    with checks.part(f"{name}: 503 forever"):
        run, requests = through(["503"])
        # curl doubles its pauses from one second, so fewer attempts fit into the total time.
        attempts = range(3, 6) if curl else [5]
        checks.check(
            f"{name}: gives up after five attempts", run.status != 0 and len(requests) in attempts, (run, len(requests))
        )

    with checks.part(f"{name}: a hanging service"):
        run, requests = through(["hang"])
        ended = run.status != 0 and run.seconds < TOTAL_SECONDS + SLACK_SECONDS
        checks.check(f"{name}: gives up on a hanging service after ten seconds", ended, run)
        checks.check(f"{name}: after more than one attempt", len(requests) >= 2, len(requests))


def shape(text):
    """The stable part of an output: without times, ids and dates, and regardless of their width."""
    text = re.sub(r"(?m)^date: .*$", "date: D", text.replace("\r", ""))
    text = re.sub(r"(?m)^x-request-id: \S+$", "x-request-id: I", text)
    return re.sub(r"dur=[\d.]+", "dur=N", text).strip()


def check_small(checks, programs, binary):
    """Checks the shorter programs in the page and the README."""
    for name in SMALL:
        with checks.part(f"{name} runs"), service_url(binary) as url:
            first, second = programs.run(name, url), programs.run_when_stored(name, url)
            if name == "five-minutes":
                shown = marked("prints")[name]
                checks.equal(f"{name}: prints what the page shows", shape(first.output), shape(shown))
                checks.check(f"{name}: the second is a hit", "hit; detail=memory" in second.output, second)
            elif name == "mistake":
                shown = json.loads(marked("answers")[name])
                checks.equal(f"{name}: the answer matches the page", json.loads(first.output), shown)
            elif name == "many":
                kept = first.status == 0 and first.output == second.output
                counts = [int(count) for count in re.findall(r"'(?:ACCEPT|DECLINE)': (\d+)", first.output)]
                checks.check(f"{name}: all 103 are answered, identically both times", kept and sum(counts) == 103, (first, second))
            else:
                checks.check(
                    f"{name}: prints a decision and a miss", "DECLINE" in first.output and "fwd=miss" in first.output, first
                )
                checks.check(f"{name}: then a hit", "DECLINE" in second.output and "; hit" in second.output, second)
        if name.startswith("short-"):
            with checks.part(f"{name}: a 422"), service_url(binary) as url, FaultyProxy(url, ["spoil"]) as proxy:
                run = programs.run(name, proxy.url)
                checks.check(
                    f"{name}: a mistake is explained", "/age_in_years" in run.text and "without quotes" in run.text, run
                )
                lines = len(programs.sources[name].splitlines())
                checks.check(f"{name}: has at most twelve lines", lines <= 12, lines)


def check_embeddings(checks, programs, binary):
    """Checks OpenAI's client and LangChain against a sentence encoder, and both against the prediction's own endpoint."""
    texts = ["The quick brown fox", "A lazy dog", "漢字 😀", "The quick brown fox"]
    with checks.part("embeddings"), service_url(binary, MODEL_DIR=str(EMBEDDER)) as url:
        run = programs.run("openai", url)
        checks.equal("openai: prints what the page shows", run.text, marked("prints")["openai"])
        run = programs.run("langchain", url)
        checks.equal("langchain: finds the nearest document", run.text, "The nearest document is number 1\n")

        body = json.dumps([{"text": text} for text in texts]).encode()
        request = urllib.request.Request(f"{url}/embedding", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as response:
            own = [answer["embedding"] for answer in json.load(response)]

        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        for encoding in (openai.NOT_GIVEN, "float", "base64"):
            answer = client.embeddings.create(model="any", input=texts, encoding_format=encoding, user="me")
            vectors = [item.embedding for item in answer.data]
            if encoding == "base64":
                vectors = [struct.unpack(f"<{len(raw := base64.b64decode(vector)) // 4}f", raw) for vector in vectors]
            same = [max(abs(one - other) for one, other in zip(*pair, strict=True)) < 1e-6 for pair in zip(vectors, own, strict=True)]
            checks.check(f"openai: encoding_format={encoding or 'absent'} has the vectors of /embedding", all(same), vectors)
            checks.equal("openai: the model is named", answer.model, "embedder")

        def alone():
            answer = client.embeddings.with_raw_response.create(model="any", input=texts[1], dimensions=8)
            return "collapsed" not in answer.headers["cache-status"] and answer

        raw = until(alone, "the answers are stored")
        checks.equal("openai: a text of an array is a hit alone", raw.headers["cache-status"], "predict-once; hit; detail=memory")
        checks.equal("openai: and has one vector", len(raw.parse().data), 1)

        refused = {"input": [464, 2068]}, {"input": texts, "dimensions": 3}, {"input": ["a", ""] * 501}
        for arguments, parameter in zip(refused, ("input", "dimensions", "input"), strict=True):
            try:
                client.embeddings.create(model="any", **arguments)
                checks.check(f"openai: {parameter} is refused", False, arguments)
            except openai.UnprocessableEntityError as error:
                found = error.param, error.type, error.code
                checks.equal(f"openai: {parameter} is refused", found, (parameter, "invalid_request_error", "invalid_fields"))

        chain = OpenAIEmbeddings(base_url=f"{url}/v1", api_key="none", check_embedding_ctx_length=False, chunk_size=2)
        documents = chain.embed_documents(texts)
        same = [max(abs(one - other) for one, other in zip(*pair, strict=True)) < 1e-6 for pair in zip(documents, own, strict=True)]
        checks.check("langchain: has the vectors of /embedding", all(same), documents)
        async_client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none")
        several = asyncio.run(ask_together(async_client, texts))
        checks.check("openai: eight requests at once agree", all(several[0] == other for other in several), several)


async def ask_together(client, texts):
    """The vectors of eight equal requests at once."""
    answers = await asyncio.gather(*(client.embeddings.create(model="any", input=texts) for _ in range(8)))
    return [[item.embedding for item in answer.data] for answer in answers]


def structured(header):
    """The only entry of a header that is a structured list (RFC 9651)."""
    [(item, parameters)] = http_sf.parse(header.encode(), tltype="list")
    return str(item), parameters


def ask(address, **headers):
    """Sends the example; returns the answer's headers and body."""
    request = urllib.request.Request(address, json.dumps(APPLICATION).encode(), {"content-type": "application/json"} | headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.headers, response.read()


def ask_when_stored(address):
    """Asks as `ask` does. An answer is stored after it has been sent, and until then an identical request shares its run."""
    return until(lambda: "collapsed" not in (answer := ask(address))[0]["cache-status"] and answer, "the answer is stored")


def check_page(checks, programs, binary, folder, node_tools):
    """Checks the other statements of the page."""
    checks.equal("every program in the pages is run", sorted(programs.sources), sorted(COMPLETE + SMALL + EMBEDDINGS))
    example = (ROOT / "examples/client.rs").read_text()
    checks.check("the Rust program in the page is examples/client.rs", programs.sources["rust"] == example, "they differ")

    for name in ("typescript", "short-typescript"):
        options = ["--noEmit", "--strict", "--target", "esnext", "--module", "nodenext", "--types", "node"]
        command = [node_tools / "tsc", *options, "--typeRoots", node_tools.parent / "@types", programs.files[name]]
        path = environment(PATH=f"{node_tools}:/usr/bin:/bin")
        done = subprocess.run(command, cwd=folder, env=path, capture_output=True, text=True)
        checks.check(f"{name}: passes the strict type check", done.returncode == 0, done.stdout)

    with service_url(binary, CORS_ALLOWED_ORIGINS="https://app.example") as url:
        for endpoint in ("decisions", "probabilities", "risk_categories"):
            (miss, computed), (hit, cached) = ask(f"{url}/{endpoint}"), ask_when_stored(f"{url}/{endpoint}")
            outcomes = [headers["cache-status"] for headers in (miss, hit)]
            kept = "fwd=miss" in outcomes[0] and "hit" in outcomes[1] and computed == cached
            checks.check(
                f"a cached answer of /{endpoint} is byte-identical to the computed one", kept, (outcomes, computed, cached)
            )
            names, (missed, found) = zip(*map(structured, outcomes), strict=True)
            kept = names == ("predict-once", "predict-once") and str(missed["fwd"]) == "miss"
            kept = kept and found["hit"] is True and str(found["detail"]) == "memory"
            checks.check(f"a parser of structured fields reads the cache-status of /{endpoint}", kept, outcomes)
        headers, _ = ask(f"{url}/decisions", origin="https://app.example")
        allowed = headers.get("access-control-allow-origin")
        exposed = headers.get("access-control-expose-headers", "").lower()
        checks.equal("CORS_ALLOWED_ORIGINS allows pages of that origin to read the answer", allowed, "https://app.example")
        kept = all(name in exposed for name in ("cache-status", "server-timing", "x-model", "x-request-id"))
        checks.check("and its four headers", kept, exposed)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--binary", type=Path, required=True, help="the service binary")
    arguments.add_argument("--rust-client", type=Path, required=True, help="compiled examples/client.rs")
    arguments.add_argument("--node-tools", type=Path, required=True, help="folder with node and tsc")
    options = arguments.parse_args()
    checks = Checks()

    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(folder, options.rust_client.resolve(), options.node_tools.absolute() / "node")
        binary = options.binary.resolve()
        with checks.part("the page"):
            check_page(checks, programs, binary, folder, options.node_tools.absolute())
        check_small(checks, programs, binary)
        check_embeddings(checks, programs, binary)
        # In parallel, because these checks mostly wait for retries and for a hanging service.
        with concurrent.futures.ThreadPoolExecutor(len(COMPLETE)) as pool:
            parts = [pool.submit(check_complete, checks, programs, binary, name) for name in COMPLETE]
            for part in parts:
                part.result()
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
