"""Watches the dashboard in a real Chromium while the service answers requests, while Redis stops and when the service ends: the page updates
by itself, works with its own files alone, and axe-core finds nothing, at desktop and phone width. `run` starts it.
"""

import contextlib
import json
import re
import sys
import urllib.error
import urllib.request

from docs_page import LOOKS, Reader, accessible, browser, checks, quiet
from playwright.sync_api import expect
from processes import APPLICATION, binary, redis, service, until

SETTINGS = {"METRICS_ADDRESS": "127.0.0.1:0", "MEMORY_CACHE_ENTRIES": "100", "CACHE_READ_TIMEOUT_MS": "2000"}


@contextlib.contextmanager
def dashboard(program, **variables):
    """The address of the API, and that of the page."""
    with service(program, **SETTINGS, **variables) as (port, log):
        found = until(lambda: re.search(r"dashboard on (http://[\d.:]+)/dashboard", log.read_text()), "it has a dashboard")
        yield f"http://127.0.0.1:{port}", found[1]


def post(url, body):
    request = urllib.request.Request(f"{url}/decisions", json.dumps(body).encode(), {"content-type": "application/json"})
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=10).read()


def send_requests(url):
    """Twelve misses, of which one is repeated four times, and three errors."""
    for age in range(30, 42):
        post(url, APPLICATION | {"age_in_years": age})
    for _ in range(4):
        post(url, APPLICATION | {"age_in_years": 30})
    for _ in range(3):
        post(url, {})


def tile(page, name):
    return page.locator("#tiles div", has=page.get_by_text(name, exact=True)).locator("dd")


def row(page, section, first):
    return page.locator(f"#{section} tr", has=page.get_by_role("rowheader", name=first, exact=True))


def check_numbers(browser, program):
    """The page shows what happens, without being loaded again."""
    with redis() as server, dashboard(program, REDIS_URL=server.url, COST_PER_GB_SECOND="0.1") as (url, own):
        reader = Reader(browser.new_context(), own)
        page = reader.open(f"{own}/dashboard")
        expect(page.locator("#latency")).to_contain_text("No request yet.")
        expect(tile(page, "hit ratio")).to_have_text("–")
        expect(page.locator("#model")).to_contain_text("credit_risk")
        send_requests(url)
        expect(tile(page, "predictions")).to_have_text("16", timeout=20_000)
        expect(tile(page, "hit ratio")).to_have_text("25.0 %")
        expect(tile(page, "Redis")).to_have_text("available")
        checks.check("the money saved is shown", re.fullmatch(r"-?[\d.e-]+", tile(page, "money saved").inner_text()))
        for source, requests in (("memory", "4"), ("the model (misses)", "12")):
            cells = row(page, "latency", source).locator("td").all_inner_texts()
            shown = cells[0] == requests and all(re.fullmatch(r"[\d.]+ (µs|ms|s)", cell) for cell in cells[1:])
            checks.check(f"latency by source: {source}", shown, cells)
        expect(row(page, "errors", "Invalid fields").locator("td")).to_have_text("3")
        expect(row(page, "process", "entries in memory").locator("td")).to_have_text("12 of 100")
        first = page.locator("#inputs tr").first
        expect(first.locator("td").last).to_have_text("5")
        checks.equal("ten inputs", page.locator("#inputs tr").count(), 10)
        checks.check("no field of an input", "age_in_years" not in page.content() and "male: single" not in page.content())
        checks.check("the chart has bars", page.locator("#chart rect.hit_memory").count() > 0 and page.locator("#chart rect.miss").count() > 0)
        label = page.get_by_role("img").get_attribute("aria-label")
        checks.check("the chart is described", "4 hits in memory" in label and "12 misses" in label, label)
        with contextlib.suppress(Exception):
            server.command("SHUTDOWN", "NOSAVE")
        post(url, APPLICATION | {"age_in_years": 70})
        expect(tile(page, "Redis")).to_have_text("unavailable", timeout=20_000)
        expect(row(page, "process", "Redis: lookups").locator("td")).to_have_text("paused")
        quiet(reader, "the dashboard")
        context = reader.page.context
    expect(page.locator("#state")).to_contain_text("no answer", timeout=20_000)
    checks.check("after the service has ended, the last numbers stay", tile(page, "predictions").inner_text() == "17")
    context.close()


def check_fields(browser, program):
    with dashboard(program, DASHBOARD_INPUTS="show") as (url, own):
        post(url, APPLICATION | {"age_in_years": 47})
        page = Reader(browser.new_context(), own).open(f"{own}/dashboard")
        expect(page.locator("#inputs")).to_contain_text("age_in_years: 47")


def check_look(browser, program, look, screenshots):
    scheme, width = look
    named = f"dashboard, {scheme}, {width} px"
    with redis() as server, dashboard(program, REDIS_URL=server.url, DASHBOARD_INPUTS="show", COST_PER_GB_SECOND="0.1") as (url, own):
        send_requests(url)
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
        page = Reader(context, own).open(f"{own}/dashboard")
        expect(tile(page, "predictions")).to_have_text("16")
        accessible(page, named)
        checks.equal(f"{named}: nothing is too wide", page.evaluate("document.documentElement.scrollWidth"), width)
        if screenshots:
            page.screenshot(path=f"{screenshots}/dashboard-{scheme}-{width}.png", full_page=True)


def main():
    program = binary()
    with browser(__doc__) as (chromium, screenshots):
        for part in (check_numbers, check_fields):
            with checks.part(part.__name__):
                part(chromium, program)
        for look in LOOKS:
            with checks.part(f"look {look}"):
                check_look(chromium, program, look, screenshots)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
