"""Measures contributions beside shap's C implementation and the model's own run; writes docs/explanations.md and its plot.

explanations.py BINARY TEMPLATE PAGE PLOT

One row at a time, one thread. The service's times are those of `server-timing`, without HTTP and the cache; shap's are those of its C
function alone.
"""

import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
import shap
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge

import predict_once

ROWS = 100
ROUNDS = 5
FIELDS = 20
MODELS = {
    "gradient boosting, 100 trees of depth 8": GradientBoostingRegressor(
        n_estimators=100, max_depth=8, max_features=6, subsample=0.5, min_samples_leaf=5, random_state=0
    ),
    "random forest, 100 trees of depth 8": RandomForestRegressor(n_estimators=100, max_depth=8, max_features=6, random_state=0),
    "random forest, 100 trees of depth 16": RandomForestRegressor(n_estimators=100, max_depth=16, max_features=6, random_state=0),
    "linear, 20 fields": Ridge(),
}


def data() -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.default_rng(0)
    X = random.normal(size=(20_000, FIELDS)).astype(np.float32).astype(float)
    y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + X[:, 3] * (X[:, 4] > 0) + 0.3 * np.abs(X[:, 5:]).sum(axis=1)
    return pd.DataFrame(X, columns=[f"f{n}" for n in range(FIELDS)]), y + random.normal(size=len(X))


class Service:
    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(self, path: str, body: object) -> tuple[dict, float]:
        """The answer, computed, and the model's time in microseconds."""
        headers = {"content-type": "application/json", "cache-control": "no-store"}
        self.connection.request("POST", path, json.dumps(body).encode(), headers)
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            raise SystemExit(f"{path}: {answer}")
        return answer, 1000 * float(re.search(r"model;dur=([0-9.]+)", response.headers["server-timing"])[1])


@contextmanager
def serve(binary: str, package: Path | None = None) -> Iterator[Service]:
    env = {"PORT": "0", "WORKERS": "1", **({"MODEL_DIR": str(package)} if package else {})}
    with subprocess.Popen([binary], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            for line in process.stdout:
                if found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", line):
                    yield Service(int(found[1]))
                    return
            raise SystemExit("the service does not start")
        finally:
            process.kill()


class Timed:
    """shap's C extension, with the time of its calls."""

    def __init__(self, extension: object) -> None:
        self.extension, self.microseconds = extension, 0.0

    def __getattr__(self, name: str) -> object:
        function = getattr(self.extension, name)

        def timed(*arguments: object) -> object:
            start = time.perf_counter()
            result = function(*arguments)
            self.microseconds = 1e6 * (time.perf_counter() - start)
            return result

        return timed


def of_shap(model: object, X: pd.DataFrame, rows: np.ndarray) -> tuple[np.ndarray, float | None]:
    """shap's contributions, and the time of its C function for a row."""
    if isinstance(model, Ridge):
        masker = shap.maskers.Independent(X.to_numpy(), max_samples=len(X))
        return shap.LinearExplainer(model, masker).shap_values(rows), None
    explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    extension = shap.explainers._tree._cext
    timed = shap.explainers._tree._cext = Timed(extension)
    times = []
    for _ in range(ROUNDS):
        for row in rows:
            explainer.shap_values(row[np.newaxis], check_additivity=False)
            times.append(timed.microseconds)
    shap.explainers._tree._cext = extension
    return explainer.shap_values(rows), statistics.median(times)


def measure(binary: str, name: str, model: object, folder: Path) -> dict[str, str]:
    X, y = data()
    model.fit(X, y)
    predict_once.export(model, X, folder, target="outcome", explain=True)
    # Values that single precision holds, which is what shap's trees read.
    rows = X.head(ROWS)
    expected, shap_time = of_shap(model, X, rows.to_numpy())
    inputs = rows.to_dict("records")
    with serve(binary, folder) as service:
        times, runs, largest = [], [], 0.0
        for _ in range(ROUNDS):
            for wanted, row in zip(expected, inputs, strict=True):
                answer, time = service.post("/reasons", row)
                ours = {entry["field"]: entry["contribution"] for entry in answer["reasons"]["contributions"]}
                largest = max(largest, *(abs(ours[n] - w) / np.abs(wanted).max() for n, w in zip(X.columns, wanted, strict=True)))
                times.append(time)
                runs.append(service.post("/outcome", row)[1])
    ours, run = statistics.median(times), statistics.median(runs)
    print(f"{name}: {ours:.1f} µs, shap {shap_time}, run {run:.1f}, difference {largest:.1e}")
    return {
        "model": name,
        "ours": f"{ours:,.0f} µs",
        "shap": "–" if shap_time is None else f"{shap_time:,.0f} µs",
        "ratio": "–" if shap_time is None else f"{ours / shap_time:.2f}×",
        "run": f"{run:,.1f} µs",
        "times": f"{ours / run:,.{1 if ours < run else 0}f}×",
        "difference": f"{largest:.0e}" if largest else "0",
    }


def table(results: list[dict[str, str]]) -> str:
    lines = [
        "| model | contributions | shap's C implementation | ratio | the model's own run | contributions cost | largest difference |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    keys = ("model", "ours", "shap", "ratio", "run", "times", "difference")
    return "\n".join([*lines, *("| " + " | ".join(row[key] for key in keys) + " |" for row in results)])


def waterfall(reasons: dict, title: str) -> str:
    """The steps from the base to the score, as an SVG."""
    width, left, right, top, step = 860, 420, 60, 70, 40
    entries = [(f"{e['field']} = {e['value']}", e["contribution"]) for e in reversed(reasons["contributions"])]
    points = [reasons["base"]]
    for _, contribution in entries:
        points.append(points[-1] + contribution)
    low, high = min(points), max(points)

    def x(value: float) -> float:
        return left + (value - low) / ((high - low) or 1) * (width - left - right - 60)

    height = top + step * (len(entries) + 1) + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        "font-family=\"system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif\" font-size=\"12\">",
        f"<title>{escape(title)}</title>",
        "<style>.page{fill:#fff}.text{fill:#1f2328}.soft{fill:#59636e}.line{stroke:#8c959f;stroke-dasharray:3 3}.up{fill:#d1570b}"
        ".down{fill:#0969da}@media(prefers-color-scheme:dark){.page{fill:#0d1117}.text{fill:#e6edf3}.soft{fill:#9198a1}"
        ".line{stroke:#656c76}.up{fill:#f0883e}.down{fill:#58a6ff}}</style>",
        f'<rect class="page" width="{width}" height="{height}" rx="6"/>',
        f'<text class="text" x="20" y="28" font-size="14" font-weight="600">{escape(title)}</text>',
        f'<text class="soft" x="{x(reasons["base"]):.1f}" y="54" text-anchor="middle">base {reasons["base"]:.3f}</text>',
    ]
    for row, (name, contribution) in enumerate(entries):
        y = top + step * row
        start, end = x(points[row]), x(points[row + 1])
        tone, sign = ("up", "+") if contribution >= 0 else ("down", "−")
        lines += [
            f'<line class="line" x1="{start:.1f}" y1="{y - 6}" x2="{start:.1f}" y2="{y + 24}"/>',
            f'<rect class="{tone}" x="{min(start, end):.1f}" y="{y}" width="{max(abs(end - start), 1):.1f}" height="20" rx="3"/>',
            f'<text class="text" x="{max(start, end) + 6:.1f}" y="{y + 14}">{sign}{abs(contribution):.3f}</text>',
            f'<text class="text" x="{left - 14}" y="{y + 14}" text-anchor="end">{escape(shortened(name))}</text>',
        ]
    y = top + step * len(entries)
    lines.append(
        f'<text class="text" x="{x(points[-1]):.1f}" y="{y + 10}" text-anchor="middle" font-weight="600">'
        f"score {reasons['score']:.3f}</text>"
    )
    return "\n".join([*lines, "</svg>"]) + "\n"


def shortened(name: str) -> str:
    return name if len(name) <= 62 else name[:40] + "…" + name[-20:]


def main() -> None:
    binary, template, page, plot = sys.argv[1:]
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        results = [measure(binary, name, model, Path(folder) / str(n)) for n, (name, model) in enumerate(MODELS.items())]
    with serve(binary) as service:
        application = {
            "installment_rate_in_percentage_of_disposable_income": 0.25,
            "age_in_years": 30,
            "foreign_worker": "yes",
            "present_employment_since": "unemployed",
            "personal_status_and_sex": "male: single",
        }
        answer, _ = service.post("/probabilities?explain=5", application)
        shown, _ = service.post("/decisions?explain=2", application)
    title = f"Why the probability that the credit goes bad is {answer['probability']:.3f}"
    Path(plot).write_text(waterfall(answer["reasons"], title), encoding="utf-8")
    text = Path(template).read_text(encoding="utf-8")
    text = text.replace("{{table}}", table(results)).replace("{{answer}}", json.dumps(shown, indent=2))
    Path(page).write_text(text, encoding="utf-8")


main()
