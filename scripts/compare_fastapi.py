"""Sends FastAPI's application and the service the same requests, and writes the answers side by side into docs/fastapi.md.

Each row of the tables is a function of a server: what it returns is the cell, and nothing is known of which server it asks.
"""

import contextlib
import gzip
import http.client
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from processes import APPLICATION, ROOT, binary, free_port, process, service, until, write_measured

RATE = "installment_rate_in_percentage_of_disposable_income"
STATUS = "personal_status_and_sex"
PATHS = ("/decisions", "/probabilities", "/risk_categories")
ORIGIN = "https://app.example"


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    def header(self, name):
        value = self.headers.get(name)
        return f"`{value}`" if value is not None else "none"


class Server:
    """One of the two, with CORS off, and once more with CORS on for `ORIGIN`."""

    def __init__(self, port, cors_port):
        self.port, self.cors_port = port, cors_port
        self.document = self.request("GET", "/openapi.json").json()
        self.answers = []

    def request(self, method, path, body=None, headers=None, cors=False):
        connection = http.client.HTTPConnection("127.0.0.1", self.cors_port if cors else self.port, timeout=60)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        response = Response(answer.status, answer.headers, answer.read())
        connection.close()
        if path == PATHS[0] and method == "POST":
            self.answers.append(response)
        return response

    def post(self, body, content_type="application/json", **headers):
        if not isinstance(body, str | bytes):
            body = json.dumps(body)
        types = {"content-type": content_type} if content_type else {}
        return self.request("POST", PATHS[0], body, types | headers)

    def predict(self, **fields):
        return self.post(APPLICATION | fields)

    def operation(self, path=PATHS[0]):
        return self.document["paths"][path]["post"]

    def resolve(self, node):
        """Follows references."""
        while isinstance(node, dict) and "$ref" in node:
            found = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node


ROWS: dict[str, list[tuple[str, Callable[[Server], str]]]] = {}


def row(section, title):
    def add(measure):
        ROWS.setdefault(section, []).append((title, measure))
        return measure

    return add


def members(node) -> Iterator[tuple[str, object]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield name, value
            yield from members(value)
    elif isinstance(node, list):
        for value in node:
            yield from members(value)


def problem(answer, field):
    """What an error answer says of a field, in either form."""
    if answer.status == 200:
        return f"200 `{answer.text}`"
    if "json" not in (answer.headers["content-type"] or ""):
        return f"{answer.status} `{answer.text[:40]}`"
    body = answer.json()
    for error in body.get("errors", []):
        if error["pointer"] == f"#/{field}":
            parts = [error["detail"]]
            parts += [f"{name}: {error[name]}" for name in ("code", "received", "suggestion") if name in error]
            return f"{answer.status} {'; '.join(parts)}"
    if isinstance(body["detail"], list):
        for error in body["detail"]:
            if error["loc"][-1] == field or field is None:
                context = {name: value for name, value in error.get("ctx", {}).items() if name != "expected"}
                parts = [error["msg"], f"type: {error['type']}"]
                parts += [f"input: {json.dumps(error['input'])}"] if "input" in error else []
                parts += [f"ctx: {json.dumps(context)}"] if context else []
                return f"{answer.status} {'; '.join(parts)}"
        return f"{answer.status}, not about this field"
    return f"{answer.status} {body['detail']}"


def short(answer):
    """An error in one line, whatever its form."""
    return problem(answer, None)


# --- The page ---------------------------------------------------------------------------------------


@row("The documentation page", "hosts that it loads scripts and styles from")
def hosts(server):
    page = server.request("GET", "/docs").text
    found = {urlsplit(url).netloc for url in re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', page)}
    return ", ".join(f"`{host}`" for host in sorted(found - {""})) or "only its own"


@row("The documentation page", "so it can be read without the internet")
def offline(server):
    return "yes" if hosts(server) == "only its own" else "no: an empty page"


@row("The documentation page", "scripts written into the page, which a strict `content-security-policy` forbids")
def inline(server):
    return str(len(re.findall(r"<script>|<script(?![^>]*src)[^>]*>", server.request("GET", "/docs").text)))


@row("The documentation page", "`content-security-policy`")
def policy(server):
    return server.request("GET", "/docs").header("content-security-policy")


@row("The documentation page", "`x-content-type-options`, `referrer-policy`")
def security(server):
    answer = server.request("GET", "/docs")
    return f"{answer.header('x-content-type-options')}, {answer.header('referrer-policy')}"


@row("The documentation page", "`cache-control`, `etag`")
def caching(server):
    answer = server.request("GET", "/docs")
    return f"{answer.header('cache-control')}, {answer.header('etag')}"


@row("The documentation page", "`/openapi.json`: bytes; with `accept-encoding: gzip`")
def size(server):
    plain = server.request("GET", "/openapi.json").body
    packed = server.request("GET", "/openapi.json", headers={"accept-encoding": "gzip"})
    if packed.headers["content-encoding"] == "gzip" and gzip.decompress(packed.body) != plain:
        raise SystemExit("gzip is not what it says")
    return f"{len(plain):,}; {len(packed.body):,}"


@row("The documentation page", "`/openapi.json` asked for again with `if-none-match`")
def again(server):
    tag = server.request("GET", "/openapi.json").headers["etag"]
    answer = server.request("GET", "/openapi.json", headers={"if-none-match": tag or '"any"'})
    return f"{answer.status}, {len(answer.body):,} bytes"


@row("The documentation page", "a second page in another style (`/redoc`)")
def redoc(server):
    return "yes" if server.request("GET", "/redoc").status == 200 else "no"


@row("The documentation page", "a page that explains each error (`/docs/errors`)")
def errors_page(server):
    return "yes" if server.request("GET", "/docs/errors").status == 200 else "no"


# --- The document -----------------------------------------------------------------------------------


@row("The OpenAPI document", "version; valid")
def valid(server):
    problems = list(OpenAPIV31SpecValidator(server.document).iter_errors())
    return f"{server.document['openapi']}; {'yes' if not problems else f'{len(problems)} errors'}"


@row("The OpenAPI document", "statuses documented of `POST /decisions`")
def documented(server):
    return ", ".join(sorted(server.operation()["responses"]))


@row("The OpenAPI document", "media type of its errors, as documented")
def error_media(server):
    response = server.resolve(server.operation()["responses"]["422"])
    return ", ".join(f"`{media}`" for media in response["content"])


@row("The OpenAPI document", "whole examples of its request; of its answers")
def examples(server):
    def count(content):
        return sum(len(media.get("examples", {})) + ("example" in media) for media in content.values())

    request = count(server.resolve(server.operation()["requestBody"])["content"])
    answers = sum(count(server.resolve(answer).get("content", {})) for answer in server.operation()["responses"].values())
    return f"{request}; {answers}"


@row("The OpenAPI document", "examples of a request whose documented answer is what the server answers")
def true_examples(server):
    right = total = 0
    requests = server.operation()["requestBody"]["content"]["application/json"].get("examples", {})
    for name, example in requests.items():
        sent = server.post(server.resolve(example)["value"])
        documented_answer = server.resolve(server.operation()["responses"][str(sent.status)])
        for media in documented_answer["content"].values():
            if name in media.get("examples", {}):
                total += 1
                right += server.resolve(media["examples"][name])["value"] == sent.json()
    return f"{right} of {total}" if total else "none is documented"


@row("The OpenAPI document", "request headers documented; response headers of a 200")
def headers(server):
    parameters = [server.resolve(parameter) for parameter in server.operation().get("parameters", [])]
    names = [parameter["name"] for parameter in parameters if parameter["in"] == "header"]
    answers = list(server.resolve(server.operation()["responses"]["200"]).get("headers", {}))
    return "; ".join(", ".join(f"`{name}`" for name in group) or "none" for group in (names, answers))


@row("The OpenAPI document", "values of a closed set that a description names one by one")
def explained(server):
    values, seen = [], set()
    for _, node in members(server.document):
        # A header's description stands beside its schema.
        schema = node.get("schema", node) if isinstance(node, dict) else {}
        if "enum" in schema and not (schema is node and id(node) in seen):
            seen.add(id(schema))
            text = f"{node.get('description', '')} {schema.get('description', '')}"
            values += [(value, text) for value in schema["enum"]]
    return f"{sum(f'`{value}`' in text for value, text in values)} of {len(values)}"


@row("The OpenAPI document", "`operationId` of `POST /decisions`, a generated client's method")
def operation_id(server):
    return f"`{server.operation()['operationId']}`" if "operationId" in server.operation() else "none"


@row("The OpenAPI document", "further paths documented")
def paths(server):
    return ", ".join(f"`{path}`" for path in server.document["paths"] if path not in PATHS) or "none"


# --- Wrong inputs -----------------------------------------------------------------------------------


@row("What a wrong input is answered", "media type of an error; members")
def form(server):
    answer = server.predict(age_in_years=17)
    names = ", ".join(f"`{name}`" for name in answer.json())
    return f"`{answer.headers['content-type']}`; {names}"


@row("What a wrong input is answered", "where `type` of an error leads")
def leads(server):
    kind = server.predict(age_in_years=17).json().get("type")
    if kind is None:
        return "there is no URI"
    where = urlsplit(urljoin(f"http://127.0.0.1:{server.port}/", kind))
    page = server.request("GET", where.path)
    there = f'id="{where.fragment}"' in page.text
    return f"`{kind}`: {page.status}, {'its section is there' if there else 'without its section'}"


@row("What a wrong input is answered", "`{}`: errors in one answer; bytes of it")
def missing(server):
    answer = server.post({})
    body = answer.json()
    return f"{len(body.get('errors') or body['detail'])}; {len(answer.body):,}"


@row("What a wrong input is answered", "rate `25`")
def percent(server):
    return problem(server.predict(**{RATE: 25}), RATE)


@row("What a wrong input is answered", 'rate `"25 %"`')
def percent_text(server):
    return problem(server.predict(**{RATE: "25 %"}), RATE)


@row("What a wrong input is answered", "age `17`")
def bound(server):
    return problem(server.predict(age_in_years=17), "age_in_years")


@row("What a wrong input is answered", 'age `"30"`, a string')
def text(server):
    return problem(server.predict(age_in_years="30"), "age_in_years")


@row("What a wrong input is answered", "age `30.5`")
def fraction(server):
    return problem(server.predict(age_in_years=30.5), "age_in_years")


@row("What a wrong input is answered", "age `30.0`, an integer in JSON Schema")
def integral(server):
    return problem(server.predict(age_in_years=30.0), "age_in_years")


@row("What a wrong input is answered", "`male:single`, without the space")
def category(server):
    return problem(server.predict(**{STATUS: "male:single"}), STATUS)


@row("What a wrong input is answered", "`age` in place of `age_in_years`")
def misspelt(server):
    fields = {("age" if name == "age_in_years" else name): value for name, value in APPLICATION.items()}
    return problem(server.post(fields), "age")


@row("What a wrong input is answered", "a field twice")
def twice(server):
    return problem(server.post(json.dumps(APPLICATION)[:-1] + ', "age_in_years": 40}'), "age_in_years")


@row("What a wrong input is answered", "rate `NaN`, which is not JSON")
def nan(server):
    return problem(server.predict(**{RATE: float("nan")}), RATE)


@row("What a wrong input is answered", "rate `1e999`, which no double holds")
def infinite(server):
    return problem(server.post(json.dumps(APPLICATION).replace("0.25", "1e999")), RATE)


@row("What a wrong input is answered", "`[]`")
def array(server):
    return short(server.post([]))


@row("What a wrong input is answered", "`{` and nothing more")
def syntax(server):
    return short(server.post("{"))


@row("What a wrong input is answered", "50,000 opening brackets")
def deep(server):
    return short(server.post("[" * 50_000))


@row("What a wrong input is answered", "no body")
def empty(server):
    return short(server.post(""))


@row("What a wrong input is answered", "a valid body as `text/plain`")
def plain(server):
    return short(server.post(APPLICATION, "text/plain"))


@row("What a wrong input is answered", "a valid body with `content-encoding: gzip`, compressed")
def compressed(server):
    body = gzip.compress(json.dumps(APPLICATION).encode())
    answer = server.post(body, **{"content-encoding": "gzip"})
    return short(answer)


@row("What a wrong input is answered", "100,000 spaces before a valid body")
def large(server):
    return short(server.post(" " * 100_000 + json.dumps(APPLICATION)))


@row("What a wrong input is answered", "statuses seen in these requests that the document does not have")
def undocumented(server):
    seen = {str(answer.status) for answer in server.answers} - set(server.operation()["responses"])
    return ", ".join(sorted(seen)) or "none"


@row("What a wrong input is answered", "answers to these requests that are of the form that the document promises")
def promised(server):
    def kept(answer):
        documented = server.resolve(server.operation()["responses"].get(str(answer.status), {}))
        media = documented.get("content", {}).get((answer.headers["content-type"] or "").split(";")[0])
        if media is None:
            return False
        # With the components beside it, its references lead somewhere.
        schema = media["schema"] | {"components": server.document["components"]}
        return OAS31Validator(schema).is_valid(answer.json())

    return f"{sum(map(kept, server.answers))} of {len(server.answers)}"


# --- HTTP -------------------------------------------------------------------------------------------


@row("HTTP", "`GET /decisions`; `allow`")
def method(server):
    answer = server.request("GET", "/decisions")
    return f"{answer.status}; {answer.header('allow')}"


@row("HTTP", "`POST /decision`")
def path(server):
    return short(server.request("POST", "/decision", json.dumps(APPLICATION), {"content-type": "application/json"}))


@row("HTTP", "`POST /decisions/`, with a slash")
def slash(server):
    answer = server.request("POST", "/decisions/", json.dumps(APPLICATION), {"content-type": "application/json"})
    if location := answer.headers["location"]:
        return f"{answer.status} to `{urlsplit(location).path}`"
    return short(answer)


@row("HTTP", "`HEAD /docs`; `HEAD /openapi.json`")
def head(server):
    return "; ".join(str(server.request("HEAD", path).status) for path in ("/docs", "/openapi.json"))


@row("HTTP", "`OPTIONS /decisions`; `allow`")
def options(server):
    answer = server.request("OPTIONS", "/decisions")
    return f"{answer.status}; {answer.header('allow')}"


PREFLIGHT = {"origin": ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}


@row("HTTP", "CORS off: `access-control-allow-origin` of a preflight")
def cors_off(server):
    answer = server.request("OPTIONS", "/decisions", headers=PREFLIGHT)
    return answer.header("access-control-allow-origin")


@row("HTTP", "CORS on: preflight of an allowed origin; of another")
def cors_on(server):
    cells = []
    for origin in (ORIGIN, "https://other.example"):
        answer = server.request("OPTIONS", "/decisions", headers=PREFLIGHT | {"origin": origin}, cors=True)
        cells.append(f"{answer.status}, origin {answer.header('access-control-allow-origin')}")
    return "; ".join(cells)


@row("HTTP", "CORS on: response headers that a page's script may read")
def exposed(server):
    headers = {"content-type": "application/json", "origin": ORIGIN}
    answer = server.request("POST", "/decisions", json.dumps(APPLICATION), headers, cors=True)
    return answer.header("access-control-expose-headers")


@row("HTTP", "`x-request-id` of an answer to a request with `x-request-id: order-7`")
def request_id(server):
    return server.post(APPLICATION, **{"x-request-id": "order-7"}).header("x-request-id")


@row("HTTP", "what an answer tells of time and cache")
def timing(server):
    answer = server.predict()
    present = [name for name in ("cache-status", "server-timing") if name in answer.headers]
    return ", ".join(f"`{name}`" for name in present) or "nothing"


# --- Both -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def fastapi(**variables):
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "fastapi_app:app", "--port", str(port), "--log-level", "warning"]
    with process(command, cwd=Path(__file__).parent, env={"PATH": os.environ["PATH"], **variables}) as (child, _):
        def ready():
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/openapi.json")
            return connection.getresponse().status == 200

        until(ready, "FastAPI answers", 60, of=child)
        yield port


def same_answers(one, other):
    """The two are the same API: equal answers to inputs of every kind of value."""
    for changed in (
        {},
        {RATE: 0.4, "age_in_years": 45, "foreign_worker": "no", "present_employment_since": "... >= 7 years"},
        {RATE: 0.1, STATUS: "male : single"},
        {RATE: 0.22, "age_in_years": 120, STATUS: "female: single"},
        {"present_employment_since": "... < 1 year", STATUS: "female: divorced/separated/married"},
    ):
        for path in PATHS:
            answers = [
                server.request("POST", path, json.dumps(APPLICATION | changed), {"content-type": "application/json"}).json()
                for server in (one, other)
            ]
            # The two runtimes of the model may differ in a float's last digit.
            one_value, other_value = (next(iter(answer.values())) for answer in answers)
            if one_value != other_value and not abs(one_value - other_value) < 1e-6:
                raise SystemExit(f"{path} {changed}: {answers}")


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def main():
    program = binary()
    cors = {"CORS_ALLOWED_ORIGINS": ORIGIN}
    with (
        fastapi() as theirs,
        fastapi(**cors) as theirs_cors,
        service(program) as (ours, _log),
        service(program, **cors) as (ours_cors, _log),
    ):
        servers = (Server(theirs, theirs_cors), Server(ours, ours_cors))
        same_answers(*servers)
        versions = ", ".join(f"{name} {version(name)}" for name in ("FastAPI", "pydantic", "uvicorn"))
        parts = [f"Measured with {versions}.\n"]
        for section, rows in ROWS.items():
            parts.append(f"\n### {section}\n\n| | FastAPI | predict-once |\n|---|---|---|\n")
            for title, measure in rows:
                cells = [cell(measure(server)) for server in servers]
                parts.append(f"| {title} | {' | '.join(cells)} |\n")
    table = "".join(parts)
    write_measured("docs/fastapi.md", "fastapi", table)
    print(table)
    print(f"{sum(map(len, ROWS.values()))} rows written to {ROOT / 'docs/fastapi.md'}")


if __name__ == "__main__":
    main()
