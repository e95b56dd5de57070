"""Uses the form of the documentation page in a real Chromium: where it is, what it sends, what it shows of answers, mistakes and
contributions, and the controls for texts and images. `run` starts it.
"""

import base64
import json
import sys
import tomllib

from docs_page import DOCUMENT, LOOKS, Reader, accessible, alike, browser, checks, content_of, predictions, quiet
from playwright.sync_api import expect
from processes import ROOT, binary, service_url

MODEL = tomllib.loads((ROOT / "models/credit_risk/model.toml").read_text())
# The only one that is wrong on purpose.
WRONG = next(iter(content_of(predictions()[0])["x-wrong-examples"].values()))


class Form:
    """The form of a page."""

    def __init__(self, context, url, path="/docs"):
        self.reader = Reader(context, url)
        self.page = self.reader.open(f"{url}{path}")
        self.button = self.page.get_by_role("button", name="Execute", exact=True).first
        self.button.wait_for()
        self.answer = self.page.get_by_role("region", name="The answer")

    def choose(self, label, option):
        self.page.get_by_label(label, exact=True).select_option(label=option)

    def field(self, name):
        return self.page.get_by_label(name, exact=True)

    def row(self, name):
        return self.page.get_by_role("table", name="The fields of the input").get_by_role("row", name=name)

    def execute(self):
        """Presses the button; returns the response."""
        with self.page.expect_response(lambda response: response.request.method == "POST") as answered:
            self.button.click()
        response = answered.value
        # Every request has its own id, which appears with its answer.
        expect(self.answer).to_contain_text(response.headers["x-request-id"])
        return response


def check_first_screen(browser, program):
    """The button is on the first screen, the fields are in the model's order with what a reader needs, and the badge names the model."""
    with service_url(program) as url:
        for width, height in ((1280, 800), (390, 800), (360, 640)):
            form = Form(browser.new_context(viewport={"width": width, "height": height}), url)
            box = form.button.bounding_box()
            checks.check(f"Execute is on the first screen, {width} × {height}", box["y"] + box["height"] <= height, box)
        names = form.page.locator("table.fields tbody label").all_inner_texts()
        checks.equal("the fields are in the model's order", names, [field["name"] for field in MODEL["fields"]])
        for field in MODEL["fields"]:
            row = form.row(field["name"]).inner_text()
            told = [field.get("unit", "category"), "required"]
            told += [value["name"] for value in field.get("values", ())]
            if field["type"] == "integer":
                told += ["integer", f"{field['minimum']} to {field['maximum']}"]
            checks.check(f"{field['name']}: type, unit, what is allowed", all(text in row for text in told), row)
        options = form.page.get_by_label("Example", exact=True).locator("option").all_inner_texts()
        checks.equal("the examples are in the package's order", options, [example["summary"] for example in MODEL["examples"]])
        fingerprint = form.execute().headers["x-model"].partition("fingerprint=")[2]
        badge = form.page.locator(".badge").inner_text()
        checks.check("the badge has the model's fingerprint", "credit_risk" in badge and fingerprint in badge, badge)
        quiet(form.reader, "the first screen")


def check_many_fields(browser, program):
    """With forty fields, the button stays in sight on a wide screen, and nothing is too wide. Dates, and an endpoint with another body."""
    document = json.loads(json.dumps(DOCUMENT))
    schema = document["components"]["schemas"]["CreditApplication"]
    schema["properties"] = {f"measurement_{number:02}_of_the_left_sensor": {"type": "number"} for number in range(38)}
    schema["properties"] |= {"day": {"type": "string", "format": "date"}, "hour": {"type": "string", "format": "date-time"}}
    document["paths"]["/v1/embeddings"] = {"post": {"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}}
    with service_url(program) as url:
        for width, height in ((1280, 800), (390, 800)):
            context = browser.new_context(viewport={"width": width, "height": height})
            context.route("**/openapi.json", lambda route: route.fulfill(json=document))
            form = Form(context, url)
            box = form.button.bounding_box()
            checks.check(f"forty fields, {width} px: Execute is on the first screen", box["y"] + box["height"] <= height, box)
            checks.equal("an endpoint with another body is left to its operation", form.page.locator("#prediction option").count(), 3)
            expect(form.row("day")).to_contain_text("date · optional")
            expect(form.row("hour")).to_contain_text("such as 2026-11-30T09:00:00Z")
            form.field("day").fill("2026")
            form.field("hour").fill("2026-11-30T09:00:00Z")
            if width == 1280:
                expect(form.button).to_be_in_viewport()
            with form.page.expect_request(lambda request: request.method == "POST") as sent:
                form.field("hour").press("Enter")
            body = sent.value.post_data_json
            checks.equal("dates are texts", (body["day"], body["hour"]), ("2026", "2026-11-30T09:00:00Z"))
            expect(form.answer).to_contain_text("Invalid fields")
            expect(form.answer).to_be_in_viewport()
            checks.equal("nothing is too wide", form.page.evaluate("document.documentElement.scrollWidth"), width)


def check_predicting(browser, program):
    """Every example of every prediction: first computed, then cached."""
    with service_url(program) as url:
        form = Form(browser.new_context(), url)
        for path in predictions():
            operation = DOCUMENT["paths"][path]["post"]
            answers = operation["responses"]["200"]["content"]["application/json"]["examples"]
            form.choose("Prediction", f"{path} – {operation['summary']}")
            for name, example in content_of(path)["examples"].items():
                if name == "several":
                    continue
                form.choose("Example", example["summary"])
                response = form.execute()
                checks.equal(f"{path}, {name}: sent to", response.url, url + path)
                checks.equal(f"{path}, {name}: sent in the model's order", list(response.request.post_data_json.items()), list(example["value"].items()))
                checks.check(f"{path}, {name}: as documented", alike(response.json(), answers[name]["value"]), response.text())
                shown = form.answer.inner_text()
                value = str(next(iter(response.json().values())))
                checks.check(f"{path}, {name}: shown", value in shown and "Not in the cache yet" in shown, shown)
        form.execute()
        expect(form.answer).to_contain_text("From the cache (the service's memory)")
        announced = form.page.locator("#announcement").inner_text()
        checks.check("the answer is announced to a screen reader", announced.startswith("Answered. From the cache"), announced)
        form.answer.get_by_text("The same with curl").click()
        expect(form.answer).to_contain_text(f"curl -i '{url}{path}'")
        quiet(form.reader, "the form")


def check_mistakes(browser, program):
    """What is wrong stands beside the fields, and goes when they are mended. What a reader types is sent as it is."""
    with service_url(program) as url:
        form = Form(browser.new_context(), url)
        form.choose("Example", WRONG["summary"])
        response = form.execute()
        checks.equal("a wrong example is sent unchanged", response.request.post_data_json, WRONG["value"])
        for error in response.json()["errors"]:
            field = form.field(error["pointer"][2:])
            told = form.row(error["pointer"][2:]).inner_text()
            checks.check(f"{error['pointer']}: beside the field", error["detail"] in told and error["suggestion"] in told, told)
            checks.equal(f"{error['pointer']}: named for a screen reader", field.get_attribute("aria-invalid"), "true")
        form.field("installment_rate_in_percentage_of_disposable_income").fill("2.5e-1")
        form.field("personal_status_and_sex").select_option("male: single")
        checks.equal("no error stays", form.page.locator("[aria-invalid]").count(), 0)
        response = form.execute()
        checks.check("a number is sent as it was typed", '": 2.5e-1' in response.request.post_data, response.request.post_data)
        checks.equal("mended: answered", response.status, 200)
        form.field("age_in_years").fill("thirty")
        form.field("foreign_worker").select_option("(left out)")
        response = form.execute()
        checks.equal("a text is sent as a text", response.request.post_data_json["age_in_years"], "thirty")
        codes = {error["pointer"]: error["code"] for error in response.json()["errors"]}
        checks.equal("and what is left out, not at all", codes, {"#/age_in_years": "invalid", "#/foreign_worker": "missing"})
        form.answer.get_by_role("link", name="What this error means").click()
        checks.equal("the error's link leads to its heading", form.page.locator("h2:target").inner_text(), "invalid-fields")
        quiet(form.reader, "mistakes in the form", allowed=("422",))


def waterfall(place):
    """The rows of a picture of contributions: name, number, and the bar's sign and ends in pixels."""
    rows = []
    for row in place.locator("table.waterfall tr:has(b)").all():
        bar = row.locator("b")
        box = bar.bounding_box()
        ends = [box["x"], box["x"] + box["width"]]
        lowers = bar.get_attribute("class") == "lowers"
        rows.append((row.locator("th").inner_text(), row.locator("td").last.inner_text(), ends[::-1] if lowers else ends))
    return rows


def check_picture(what, place, reasons):
    rows = waterfall(place)
    contributions = [(one["field"], one["contribution"]) for one in reasons["contributions"]]
    if reasons["others"]:
        contributions.append(("all other fields", reasons["others"]))
    checks.equal(f"{what}: a bar for each contribution", len(rows), len(contributions))
    scale = (rows[0][2][1] - rows[0][2][0]) / contributions[0][1]
    for (name, number, (start, end)), (field, contribution) in zip(rows, contributions, strict=True):
        checks.check(f"{what}: {field} is named", name.startswith(field), name)
        shown = float(number.replace("−", "-"))
        checks.check(f"{what}: {field} has its number", abs(shown - contribution) <= 0.006 * abs(contribution), number)
        checks.check(f"{what}: {field} has its length and sign", abs(end - start - scale * contribution) < 3, (start, end))
    joined = all(abs(one[2][1] - other[2][0]) < 3 for one, other in zip(rows, rows[1:], strict=False))
    checks.check(f"{what}: each bar begins where the one above ends", joined, rows)
    total = place.locator("table.waterfall tr.end td").all_inner_texts()
    checks.check(f"{what}: base and score", [f"{abs(reasons[end]):.3g}" in text for end, text in zip(("base", "score"), total[1::2], strict=True)] == [True, True], total)


def check_contributions(browser, program):
    """Contributions are a picture beside the answer: in the form, and in the operation below it."""
    with service_url(program) as url:
        form = Form(browser.new_context(), url)
        checks.equal("without explain, no picture", (form.execute().status, form.page.locator(".waterfall").count()), (200, 0))
        for option, explain in (("all 5 fields", 5), ("top 1", 1)):
            form.choose("Explain", option)
            response = form.execute()
            checks.equal(f"{option}: asked for", response.url, f"{url}{predictions()[0]}?explain={explain}")
            check_picture(option, form.answer, response.json()["reasons"])
            value = json.dumps(response.json()["reasons"]["contributions"][0]["value"])
            expect(form.answer.locator(".waterfall")).to_contain_text(f"= {value}")
        expect(form.answer.locator(".waterfall")).to_contain_text("Length of the present employment")
        part = form.reader.operation(predictions()[0])
        part.locator("[data-param-name=explain] input").fill("2")
        _, response, _ = form.reader.execute(part)
        check_picture("the operation", part, response.json()["reasons"])
        quiet(form.reader, "contributions")


def check_text(browser, program):
    """A text is typed into a box of several lines."""
    with service_url(program, MODEL_DIR=str(ROOT / "tests/packages/topics")) as url:
        form = Form(browser.new_context(), url)
        box = form.field("text")
        checks.equal("a box of several lines", box.evaluate("(box) => [box.tagName, box.rows > 3]"), ["TEXTAREA", True])
        expect(form.row("text")).to_contain_text("up to 100,000 characters")
        for text, topic in (("“The striker”\nscores 10\t\\ 12 …", "sport"), ("a law on\r\ntaxes", "politics"), ("7", "politics")):
            box.fill(text)
            response = form.execute()
            checks.equal(f"{text!r} is sent", response.request.post_data_json, {"text": text.replace("\r\n", "\n")})
            if text != "7":
                checks.equal(f"{text!r} is answered", response.json(), {"topic": topic})
                expect(form.answer.locator(".result strong")).to_have_text(topic)
        box.fill("x" * 100_001)
        checks.equal("a text that is too long is not cut, but refused", form.execute().status, 422)
        expect(form.row("text")).to_contain_text("100000 characters")
        accessible(form.page, "a text")
        quiet(form.reader, "a text", allowed=("422",))


def check_image(browser, program):
    """A chosen image is the body, and one of another format, which is refused, is sent in base64; so is an example."""
    folder = ROOT / "crates/image-input/tests/fixtures"
    with service_url(program, MODEL_DIR=str(ROOT / "tests/packages/colours")) as url:
        form = Form(browser.new_context(), url)
        response = form.execute()
        checks.equal("the example is sent in base64", list(response.request.post_data_json), ["image"])
        expect(form.answer.locator(".result strong")).to_have_text("red")
        preview = form.row("image").locator("img")
        checks.equal("the example is shown", preview.evaluate("(image) => image.naturalWidth"), 1)
        for name, media_type in (("rgb.png", "image/png"), ("baseline.jpg", "image/jpeg")):
            form.field("image").set_input_files(folder / name)
            response = form.execute()
            checks.equal(f"{name} is the body", response.request.headers["content-type"], media_type)
            checks.equal(f"{name}, whole", response.request.post_data_buffer, (folder / name).read_bytes())
            checks.equal(f"{name} is answered", response.status, 200)
            expect(preview).to_be_visible()
        accessible(form.page, "an image is chosen")
        gif = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
        form.field("image").set_input_files({"name": "one.gif", "mimeType": "image/gif", "buffer": gif})
        response = form.execute()
        checks.equal("another format is sent in base64", base64.b64decode(response.request.post_data_json["image"]), gif)
        checks.equal("and refused", response.status, 422)
        expect(form.row("image")).to_contain_text(response.json()["errors"][0]["detail"])
        quiet(form.reader, "an image", allowed=("422",))


def check_look(browser, program, look, screenshots):
    scheme, width = look
    named = f"form, {scheme}, {width} px"
    with service_url(program) as url:
        form = Form(browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}), url)
        for state, example, explain in (("answered", MODEL["examples"][0]["summary"], "all 5 fields"), ("refused", WRONG["summary"], "no")):
            form.choose("Example", example)
            form.choose("Explain", explain)
            form.execute()
            form.page.locator("#try details").evaluate_all("(all) => all.forEach((details) => (details.open = true))")
            accessible(form.page, f"{named}, {state}")
            checks.equal(f"{named}: nothing is too wide", form.page.evaluate("document.documentElement.scrollWidth"), width)
            if screenshots:
                form.page.screenshot(path=f"{screenshots}/form-{state}-{scheme}-{width}.png", full_page=True)


def main():
    program = binary()
    with browser(__doc__) as (chromium, screenshots):
        for part in (check_first_screen, check_many_fields, check_predicting, check_mistakes, check_contributions, check_text, check_image):
            with checks.part(part.__name__):
                part(chromium, program)
        for look in LOOKS:
            with checks.part(f"look {look}"):
                check_look(chromium, program, look, screenshots)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
