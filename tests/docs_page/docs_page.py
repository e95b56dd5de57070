"""Uses the documentation pages in a real Chromium as a reader would, and checks that everything works with the service alone: no
requests to other origins, no scripts or styles outside the content security policy, and no axe-core findings. `run` starts it.
"""

import argparse
import contextlib
import http.client
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from checks import Checks  # noqa: E402
from processes import ROOT, binary, redis, service_url, until  # noqa: E402

DOCUMENT = json.loads((ROOT / "docs/openapi.json").read_text())
# Colour scheme and width in pixels in which axe-core examines the pages.
LOOKS = [("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)]

checks = Checks()


class Reader:
    """A page in a browser; records console errors and requests, including those to other origins."""

    def __init__(self, context, origin):
        self.complaints, self.elsewhere, self.requests = [], [], []
        self.page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda message: message.type in ("error", "warning") and self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.note(request.url, origin))

    def note(self, url, origin):
        self.requests.append(url)
        if not url.startswith((f"{origin}/", "data:", "blob:")):
            self.elsewhere.append(url)

    def open(self, url):
        self.page.goto(url)
        return self.page

    def operation(self, path, method="post"):
        """The page's section for an operation, opened."""
        part = self.page.locator(f"#{operation_id(path, method)}")
        control = part.locator(".opblock-summary-control")
        if control.get_attribute("aria-expanded") == "false":
            control.click()
        part.locator("button.execute").wait_for()
        return part

    def execute(self, part, example=None):
        """Sends an example unchanged; returns the page's explanation, the response, and the shown response."""
        if example:
            part.locator(".opblock-section-request-body .examples-select-element").select_option(example)
        with self.page.expect_response(lambda response: response.request.method == "POST") as answered:
            part.locator("button.execute").click()
        response = answered.value
        # Every request has its own id, which appears with its answer.
        shown = part.locator(".live-responses-table")
        expect(shown).to_contain_text(response.headers["x-request-id"])
        return part.locator(".outcome").inner_text(), response, shown.inner_text()


def operation_id(path, method):
    operation = DOCUMENT["paths"][path][method]
    return f"operations-{operation['tags'][0]}-{operation['operationId']}"


def predictions():
    return [path for path, item in DOCUMENT["paths"].items() if "post" in item]


def content_of(path):
    return DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]


def quiet(reader, what, allowed=()):
    """No console output except for the `allowed` statuses, and no requests to other origins."""
    complaints = [text for text in reader.complaints if not any(status in text for status in allowed)]
    checks.equal(f"{what}: the console is empty", complaints, [])
    checks.equal(f"{what}: no requests to other origins", reader.elsewhere, [])
    checks.check(f"{what}: the requests were recorded", len(reader.requests) > 3, reader.requests)


def accessible(page, what, place=None):
    """axe-core finds nothing on the page, or in the place that a selector names."""
    # Colours fade in, so wait for their final state.
    page.evaluate("() => Promise.allSettled(document.getAnimations().map((animation) => animation.finished)).then(() => {})")
    found = Axe().run(page, context=place).response["violations"]
    seen = [f"{rule['id']} {[node['target'] for node in rule['nodes'][:3]]}" for rule in found]
    checks.equal(f"axe-core finds nothing: {what}", seen, [])


def check_reading(browser, url):
    """The page before the first request."""
    reader = Reader(browser.new_context(), url)
    page = reader.open(f"{url}/docs")
    page.locator(".opblock").first.wait_for()
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            summary = page.locator(f"#{operation_id(path, method)} .opblock-summary").inner_text()
            shown = path in summary.replace("\u200b", "") and operation["summary"] in summary
            checks.check(f"{method} {path} is shown", shown, summary)
    checks.equal("the operations are closed", page.locator(".opblock.is-open").count(), 0)
    for part in ("In five minutes", "What to rely on"):
        checks.check(f"the introduction has {part!r}", page.get_by_role("heading", name=part).is_visible())

    checks.check("its curl has the service's address", f"curl -i {url}/" in page.locator(".info").inner_text())
    first = reader.operation(predictions()[0])
    first.get_by_role("tab", name="Schema").first.click()
    schema = first.locator(".opblock-section-request-body .model-container")
    one = content_of(predictions()[0])["schema"]["oneOf"][0]["$ref"].rsplit("/", 1)[1]
    fields = DOCUMENT["components"]["schemas"][one]["properties"]
    for field in fields:
        expect(schema).to_contain_text(field)
    checks.check("the input's schema shows every field", True)

    page.goto(f"{url}/docs/")
    checks.equal("/docs/ is the same page", page.url, f"{url}/docs")
    for link, ends in (("Errors", "/docs/errors"), ("OpenAPI", "/openapi.json")):
        if link == "OpenAPI":
            # On the bare document, the browser requests /favicon.ico and eventually logs an error.
            quiet(reader, "reading")
        page.goto(f"{url}/docs")
        page.get_by_role("navigation").get_by_role("link", name=link, exact=True).click()
        checks.check(f"{link} leads to {ends}", page.url == url + ends, page.url)


def alike(answer, documented):
    """Whether an answer equals the documented one, whose numbers are rounded."""
    (name, value), (documented_name, number) = next(iter(answer.items())), next(iter(documented.items()))
    close = abs(value - number) < 1e-5 if isinstance(value, float) else value == number
    return name == documented_name and close


def check_predicting(browser, url):
    """Every valid example of an operation, twice: first computed, then cached, in the explanation and in the header."""
    reader = Reader(browser.new_context(), url)
    reader.open(f"{url}/docs")
    for path in predictions()[:1]:
        part = reader.operation(path)
        answers = DOCUMENT["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["examples"]
        for name in content_of(path)["examples"]:
            said, response, shown = reader.execute(part, name)
            checks.equal(f"{path}, {name}: answered", response.status, 200)
            documented = answers[name]["value"]
            if isinstance(documented, list):
                # Its inputs are the other examples, which are cached by now.
                every = all(map(alike, response.json(), documented)) and len(response.json()) == len(documented)
                checks.check(f"{path}, {name}: as documented", every, f"{response.json()}, not {documented}")
                checks.check(f"{path}, {name}: cached", "cache-status: predict-once; hit; detail=memory" in shown, shown)
                continue
            answer = next(iter(response.json().values()))
            checks.check(f"{path}, {name}: as documented", alike(response.json(), documented), f"{answer}, not {documented}")
            checks.check(f"{path}, {name}: the answer is shown", str(answer) in shown, shown)
            checks.check(f"{path}, {name}: cache-status is shown", "cache-status: predict-once; fwd=miss" in shown, shown)
            computed = said.startswith("Not in the cache yet: the model computed")
            checks.check(f"{path}, {name}: explained as computed", computed, said)
            said, response, shown = reader.execute(part)
            checks.check(f"{path}, {name}: cached", "cache-status: predict-once; hit; detail=memory" in shown, shown)
            checks.check(f"{path}, {name}: explained as cached", said.startswith("From the cache (the service's memory)"), said)
            announced = reader.page.locator("#announcement").inner_text()
            checks.equal(f"{path}, {name}: announced to a screen reader", announced, f"Answered. {said}")

    part.locator("[data-param-name=cache-control] input").fill("no-cache")
    said, response, _ = reader.execute(part)
    checks.equal("cache-control is sent", response.headers["cache-status"], "predict-once; fwd=request")
    checks.check("cache-control is explained", said.startswith("Your cache-control header bypassed the cache"), said)
    part.locator("[data-param-name=cache-control] input").fill("no-cache, only-if-cached")
    said, response, _ = reader.execute(part)
    checks.equal("only-if-cached with no usable entry returns 504", response.status, 504)
    checks.check("the explanation says that the model did not run", "The model did not run" in said and "computed" not in said, said)
    quiet(reader, "predicting", allowed=("504",))


def check_no_cache(browser, program):
    """Without a cache, the page does not mention one."""
    with service_url(program, MEMORY_CACHE_ENTRIES="0") as url:
        reader = Reader(browser.new_context(), url)
        reader.open(f"{url}/docs")
        said, _, _ = reader.execute(reader.operation(predictions()[0]))
        checks.check("without a cache: computed", said.startswith("The service has no cache: the model computed"), said)


def check_mistakes(browser, url):
    """The deliberately wrong examples, and the link to the errors page."""
    reader = Reader(browser.new_context(), url)
    page = reader.open(f"{url}/docs")
    path = predictions()[0]
    part = reader.operation(path)
    for name in content_of(path)["x-wrong-examples"]:
        said, response, _ = reader.execute(part, name)
        checks.equal(f"{name}: refused", response.status, 422)
        problem = response.json()
        checks.check(f"{name}: the page shows the error", problem["title"] in said, said)
        for error in problem["errors"]:
            told = error["pointer"][2:] in said and error["detail"] in said and error["suggestion"] in said
            checks.check(f"{name}: {error['pointer']}, with the allowed values and the suggestion", told, said)
        announced = page.locator("#announcement").inner_text()
        told = all(error["detail"] in announced for error in problem["errors"])
        checks.check(f"{name}: announced to a screen reader", told, announced)
    part.locator("textarea.body-param__text").fill("{")
    said, response, _ = reader.execute(part)
    checks.equal("invalid JSON is refused", response.status, 400)

    fragment = response.json()["type"].partition("#")[2]
    part.get_by_role("link", name="What this error means").click()
    checks.equal("the error's link leads to its heading", page.url, f"{url}/docs/errors#{fragment}")
    checks.equal("the heading exists", page.locator("h2:target").inner_text(), fragment)
    quiet(reader, "mistakes", allowed=("422", "400"))


def check_redis(browser, program):
    """The page names the source of an answer, also after Redis has stopped."""
    settings = {"MEMORY_CACHE_ENTRIES": "0", "CACHE_READ_TIMEOUT_MS": "2000"}
    with redis() as server, service_url(program, REDIS_URL=server.url, **settings) as url:
        reader = Reader(browser.new_context(), url)
        reader.open(f"{url}/docs")
        part = reader.operation(predictions()[0])
        said, _, _ = reader.execute(part)
        checks.check("with Redis: computed", said.startswith("Not in the cache yet"), said)
        until(lambda: server.command("DBSIZE") != "0", "it is stored")
        said, _, _ = reader.execute(part)
        checks.check("with Redis: then from Redis", said.startswith("From the cache (Redis)"), said)
        with contextlib.suppress(Exception):
            server.command("SHUTDOWN", "NOSAVE")
        said, response, _ = reader.execute(part)
        checks.equal("Redis stopped: still answered", response.status, 200)
        checks.check("Redis stopped: the page explains it", said.startswith("The cache did not answer"), said)
        quiet(reader, "with Redis")


class Stage(BaseHTTPRequestHandler):
    """Prefixes paths like an API Gateway stage: the service is below /prod, and everything else is forbidden."""

    protocol_version = "HTTP/1.1"
    service = None

    def do_GET(self):
        path = self.path.removeprefix("/prod")
        if path == self.path:
            return self.answer(403, [("content-type", "application/json")], b'{"message":"Forbidden"}')
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        connection = http.client.HTTPConnection(self.service.removeprefix("http://"))
        connection.request(self.command, path or "/", body or None, dict(self.headers))
        answer = connection.getresponse()
        headers = [(name, value) for name, value in answer.getheaders() if name not in ("content-length", "connection")]
        self.answer(answer.status, headers, answer.read())

    do_POST = do_GET

    def answer(self, status, headers, body):
        self.send_response_only(status)
        for name, value in [*headers, ("content-length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def check_stage(browser, url):
    """Below a stage's path, the page finds its files, the service and the errors page."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("StageOf", (Stage,), {"service": url}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_address[1]}"
    reader = Reader(browser.new_context(), f"{origin}/prod")
    page = reader.open(f"{origin}/prod/docs")
    path = predictions()[0]
    part = reader.operation(path)
    _, response, _ = reader.execute(part)
    checks.equal("below /prod: sent to", (response.url, response.status), (f"{origin}/prod{path}", 200))
    reader.execute(part, next(iter(content_of(path)["x-wrong-examples"])))
    part.get_by_role("link", name="What this error means").click()
    checks.check("below /prod: the errors page", page.locator("h2:target").is_visible(), page.url)
    page.get_by_role("navigation").get_by_role("link", name="API", exact=True).click()
    page.locator(".opblock").first.wait_for()
    quiet(reader, "below /prod", allowed=("422",))
    server.shutdown()
    server.server_close()


def check_accessibility(browser, url, look):
    """axe-core on an operation answered, refused, and the page fully expanded; and nothing is wider than the screen."""
    scheme, width = look
    reader = Reader(browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}), url)
    named = f"{scheme}, {width} px"
    page = reader.open(f"{url}/docs")
    part = reader.operation(predictions()[0])
    reader.execute(part)
    accessible(page, f"{named}, answered")
    reader.execute(part, next(iter(content_of(predictions()[0])["x-wrong-examples"])))
    accessible(page, f"{named}, refused")
    closed = page.locator(".opblock-summary-control[aria-expanded=false]")
    while closed.count():
        closed.first.click()
    page.locator("section.models").get_by_role("button").first.click()
    for button in page.locator(".json-schema-2020-12-expand-deep-button").all():
        button.click()
    accessible(page, f"{named}, everything open")
    page.get_by_role("link", name="Skip to the form").focus()
    accessible(page, f"{named}, focus on the skip link", place=".skip")
    checks.equal(f"{named}: nothing is too wide", page.evaluate("document.documentElement.scrollWidth"), width)
    page.goto(f"{url}/docs/errors")
    accessible(page, f"{named}, the errors page")
    checks.equal(f"{named}: nothing is too wide on the errors page", page.evaluate("document.documentElement.scrollWidth"), width)


def check_without_script(browser, url):
    context = browser.new_context(java_script_enabled=False)
    page = Reader(context, url).open(f"{url}/docs")
    page.locator("noscript").get_by_role("link", name="OpenAPI document").click()
    checks.equal("without JavaScript, the page links to the document", page.url, f"{url}/openapi.json")


@contextlib.contextmanager
def browser(description):
    """A browser, and the directory that `--screenshots` names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--chromium", required=True)
    parser.add_argument("--screenshots", help="a directory to write them to")
    arguments = parser.parse_args()
    # As root, Chromium starts only without its sandbox; all content is our own.
    launched = {"executable_path": arguments.chromium, "args": ["--no-sandbox"]}
    with sync_playwright() as playwright, playwright.chromium.launch(**launched) as chromium:
        yield chromium, arguments.screenshots


def main():
    program = binary()
    with browser(__doc__) as (chromium, _):
        for part in (check_reading, check_predicting, check_mistakes, check_stage, check_without_script):
            with checks.part(part.__name__), service_url(program) as url:
                part(chromium, url)
        for part in (check_no_cache, check_redis):
            with checks.part(part.__name__):
                part(chromium, program)
        for look in LOOKS:
            with checks.part(f"accessibility {look}"), service_url(program) as url:
                check_accessibility(chromium, url, look)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
