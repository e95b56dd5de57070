"""Opens pages for the same OpenAPI document in Chromium and measures them. `compare-api-pages` starts it."""

import argparse
import gzip
import statistics
import threading
import time
import urllib.request
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, sync_playwright
from processes import ROOT, binary, service_url, write_measured

OPENS = 5


@dataclass
class Candidate:
    """A page: its files within the packages, its body and its script."""

    name: str
    files: list
    body: str
    script: str

    @property
    def html(self):
        links = "".join(f'<link rel="stylesheet" href="{Path(file).name}">' for file in self.files if file.endswith(".css"))
        scripts = "".join(f'<script src="{Path(file).name}" defer></script>' for file in self.files if file.endswith(".js"))
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>API</title>'
            f'<meta name="viewport" content="width=device-width">{links}{scripts}<script src="start.js" defer></script></head>'
            f"<body>{self.body}</body></html>"
        )


CANDIDATES = [
    Candidate(
        "Swagger UI 5.35.0",
        ["swagger-ui-dist/swagger-ui-bundle.js", "swagger-ui-dist/swagger-ui.css"],
        '<div id="api"></div>',
        'SwaggerUIBundle({ url: "openapi.json", dom_id: "#api", tryItOutEnabled: true });',
    ),
    Candidate(
        "Scalar 1.72.1",
        ["@scalar/api-reference/dist/browser/standalone.js"],
        '<div id="api"></div>',
        'Scalar.createApiReference("#api", { url: "openapi.json", withDefaultFonts: false });',
    ),
    Candidate(
        "Redoc 2.5.1",
        ["redoc/bundles/redoc.standalone.js"],
        '<div id="api"></div>',
        'Redoc.init("openapi.json", {}, document.getElementById("api"));',
    ),
]


class Handler(BaseHTTPRequestHandler):
    """Serves a candidate's page and files under a content security policy."""

    def __init__(self, files, policy, *arguments):
        self.files, self.policy = files, policy
        super().__init__(*arguments)

    def do_GET(self):
        found = self.files.get(self.path)
        self.send_response(200 if found else 404)
        if found:
            content_type, body = found
            self.send_header("content-type", content_type)
            self.send_header("content-security-policy", self.policy)
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if found:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def served(candidate, packages, policy):
    """A server of the candidate; its address, and the gzipped bytes of what the page loads but for the document."""
    kinds = {".js": "text/javascript", ".css": "text/css"}
    files = {f"/{Path(file).name}": (kinds[Path(file).suffix], (packages / file).read_bytes()) for file in candidate.files}
    files["/start.js"] = ("text/javascript", candidate.script.encode())
    files["/"] = ("text/html; charset=utf-8", candidate.html.encode())
    size = sum(len(gzip.compress(body, 9)) for _, body in files.values())
    files["/openapi.json"] = ("application/json", (ROOT / "docs/openapi.json").read_bytes())
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, files, policy))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}/", size


def observe(browser, url, opens):
    """Opens a page some times: the median milliseconds to its first operation, and what it complained of at the last."""
    times = []
    for _ in range(opens):
        context = browser.new_context()
        page = context.new_page()
        violations, elsewhere = [], []
        page.on("console", lambda message: "Content Security Policy" in message.text and violations.append(message.text))
        page.on("request", lambda request: request.url.startswith("http") and elsewhere.append(request.url))
        started = time.perf_counter()
        page.goto(url)
        try:
            page.get_by_text("/decisions").first.wait_for(timeout=20_000)
            times.append((time.perf_counter() - started) * 1000)
        except Error:
            return None, len(violations), [], []
        page.wait_for_load_state("networkidle")
        found = Axe().run(page).response["violations"]
        origin = url.split("/", 3)[2]
        elsewhere = sorted({address for address in elsewhere if origin not in address})
        context.close()
    return statistics.median(times), len(violations), elsewhere, found


def cells(browser, strict_url, inline_url, size):
    milliseconds, violations, _, _ = observe(browser, strict_url, 1)
    strict = f"{violations} refused" if milliseconds else "shows nothing"
    milliseconds, _, elsewhere, found = observe(browser, inline_url, OPENS)
    nodes = sum(len(rule["nodes"]) for rule in found)
    shown = "shows nothing" if milliseconds is None else f"{milliseconds:.0f}"
    accessibility = f"{len(found)}; {nodes}" if milliseconds else "-"
    return [f"{size / 1024:.0f}", shown, strict, ", ".join(elsewhere) or "none", accessibility]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chromium", required=True)
    parser.add_argument("--packages", required=True, type=Path)
    arguments = parser.parse_args()
    rows = {}
    with sync_playwright() as playwright, service_url(binary()) as url:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
        # The service's own policy, and with what the candidates ask for most.
        with urllib.request.urlopen(f"{url}/docs") as page:
            strict_policy = page.headers["content-security-policy"]
        inline_policy = strict_policy.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
        for candidate in CANDIDATES:
            strict, size = served(candidate, arguments.packages, strict_policy)
            inline, _ = served(candidate, arguments.packages, inline_policy)
            rows[candidate.name] = cells(browser, strict, inline, size)
        names = ("index.html", "page.js", "page.css", "icon.svg", "swagger-ui-bundle.js", "swagger-ui.css")
        size = sum(len(gzip.compress((ROOT / "assets/docs" / name).read_bytes(), 9)) for name in names)
        rows["`/docs`"] = cells(browser, f"{url}/docs", f"{url}/docs", size)
    heads = [
        "gzipped, KiB",
        f"opens in, ms (median of {OPENS})",
        "inline styles, under a policy without them",
        "asks elsewhere",
        "axe-core: rules broken; elements",
    ]
    table = [["", *rows], ["---", *("---" for _ in rows)]]
    table += [[head, *(row[index] for row in rows.values())] for index, head in enumerate(heads)]
    text = "\n" + "".join(f"| {' | '.join(row)} |\n" for row in table) + "\n"
    write_measured("docs/api-documentation.md", "pages", text)
    print(text)


if __name__ == "__main__":
    main()
