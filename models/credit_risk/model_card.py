"""Writes MODEL_CARD.md: the text of MODEL_CARD.template.md with the figures of this training."""

from collections.abc import Callable, Iterable
from math import isnan
from pathlib import Path
from string import Template

import numpy as np
from sklearn.linear_model import LogisticRegression

from credit_data import FEATURES, FOREIGN_WORKER, RATE_CODES, STATUS_AND_SEX, Application, encode
from evaluation import Evaluation
from thresholds import (
    BALANCED_COST,
    COMPARED_CUT_POINTS,
    COMPARED_THRESHOLDS,
    DATA_SET_COST,
    DECISION_THRESHOLD,
    RISK_CATEGORIES,
    RISK_CATEGORY_CUT_POINTS,
    bands,
    decision,
    outcome,
    risk_category,
    share,
)

EXAMPLE = Application(2, 30, "yes", "unemployed", "male: single")  # the request in the documentation
Belongs = Callable[[Application], bool]
GROUPS: dict[str, Belongs] = {
    **{
        f"personal status and sex: {status}": (lambda a, status=status: a.personal_status_and_sex == status)
        for status in STATUS_AND_SEX[:-1]  # the last one never occurs in the data
    },
    "all labelled male": lambda a: a.personal_status_and_sex.startswith("male"),
    "all labelled female": lambda a: a.personal_status_and_sex.startswith("female"),
    **{
        f"foreign worker: {answer}": (lambda a, answer=answer: a.foreign_worker == answer) for answer in FOREIGN_WORKER
    },
    "age: 25 and below": lambda a: a.age_in_years <= 25,
    "age: above 25": lambda a: a.age_in_years > 25,
}


def render(
    template: Path,
    evaluations: dict[str, Evaluation],
    chosen: str,
    model: LogisticRegression,
    applications: list[Application],
    went_bad: np.ndarray,
) -> str:
    """The whole card. Placeholders and figures must be the same set."""
    predicted = evaluations[chosen].out_of_fold
    at_threshold = outcome(DECISION_THRESHOLD, predicted, went_bad)
    at_data_set_threshold = outcome(1 / (1 + DATA_SET_COST), predicted, went_bad)
    probability = float(model.predict_proba(encode([EXAMPLE]))[0, 1])
    figures = {
        "chosen": chosen,
        "comparison": comparison_table(evaluations),
        "auc": f"{evaluations[chosen].auc:.3f}",
        "slope": f"{evaluations[chosen].slope:.2f}",
        "intercept": f"{evaluations[chosen].intercept:.2f}",
        "threshold": f"{DECISION_THRESHOLD:.2f}",
        "cut_points": ", ".join(f"{cut:.2f}" for cut in RISK_CATEGORY_CUT_POINTS),
        "accepted": percent(at_threshold.accepted),
        "bad_accepted": percent(at_threshold.bad_among_accepted),
        "bad_declined": percent(at_threshold.bad_among_declined),
        "data_set_accepted": percent(at_data_set_threshold.accepted),
        "data_set_cost": f"{at_data_set_threshold.data_set_cost:.0f}",
        "balanced_ratio": f"{BALANCED_COST:.2f}",
        "balanced_cost": f"{at_threshold.balanced_cost:.0f}",
        "trivial_cost": f"{outcome(0, predicted, went_bad).balanced_cost:.0f}",
        "thresholds": threshold_table(predicted, went_bad),
        "bands": band_table(predicted, went_bad),
        "rates": rate_table(applications, went_bad),
        "groups": group_table(applications, predicted, went_bad),
        "weights": weight_table(model),
        "example": f"{probability:.4f}, {decision(probability)}, {risk_category(probability)}",
    }
    text = Template(template.read_text(encoding="utf-8"))
    if set(text.get_identifiers()) != set(figures):
        different = set(text.get_identifiers()) ^ set(figures)
        raise SystemExit(f"MODEL_CARD.template.md: placeholders and figures differ: {different}")
    return text.substitute(figures)


def comparison_table(evaluations: dict[str, Evaluation]) -> str:
    return table(
        ("candidate", "AUC", "Brier", "log loss", "calibration slope", "intercept"),
        (
            (name, number(e.auc), number(e.brier), number(e.log_loss), number(e.slope, 2), number(e.intercept, 2))
            for name, e in evaluations.items()
        ),
    )


def threshold_table(predicted: np.ndarray, went_bad: np.ndarray) -> str:
    labels = {0: "decline all", **{t: f"{t:.2f}" for t in COMPARED_THRESHOLDS}, 1 / 6: "1/6", 1: "accept all"}
    rows = []
    for threshold, label in sorted(labels.items()):
        o = outcome(threshold, predicted, went_bad)
        rates = (percent(o.accepted), percent(o.bad_among_accepted), percent(o.bad_among_declined))
        rows.append((label, *rates, f"{o.data_set_cost:.0f}", f"{o.balanced_cost:.0f}"))
    header = ("threshold", "accepted", "bad among accepted", "bad among declined")
    return table((*header, f"cost at {DATA_SET_COST:.0f}:1", f"cost at {BALANCED_COST:.2f}:1"), rows)


def band_table(predicted: np.ndarray, went_bad: np.ndarray) -> str:
    rows = []
    for cut_points in COMPARED_CUT_POINTS:
        named = cut_points == RISK_CATEGORY_CUT_POINTS
        for name, band in zip(RISK_CATEGORIES, bands(cut_points, predicted, went_bad)):
            rows.append(
                (
                    ", ".join(f"{cut:.2f}" for cut in cut_points),
                    f"`{name}`" if named else "",
                    f"{band.lower:.2f} to {band.upper:.2f}",
                    percent(band.share),
                    percent(band.predicted),
                    percent(band.observed),
                    f"{percent(band.lowest_observed)} to {percent(band.highest_observed)}",
                )
            )
    return table(("cut points", "category", "band", "share", "predicted", "observed bad", "range over repeats"), rows)


def rate_table(applications: list[Application], went_bad: np.ndarray) -> str:
    fractions = ("0.35 <= rate <= 1", "0.25 <= rate < 0.35", "0.20 <= rate < 0.25", "0 < rate < 0.20")
    codes = np.array([application.installment_rate_code for application in applications])
    return table(
        ("fraction in the request", "code in the data", "applications", "bad"),
        (
            (fraction, code, int(np.sum(codes == code)), percent(share(went_bad, codes == code)))
            for fraction, code in zip(fractions, RATE_CODES)
        ),
    )


def group_table(applications: list[Application], predicted: np.ndarray, went_bad: np.ndarray) -> str:
    accepted = predicted < DECISION_THRESHOLD
    rows = []
    for name, belongs in GROUPS.items():
        group = np.array([belongs(application) for application in applications])
        good = group & (went_bad == 0)
        rows.append(
            (
                name,
                int(group.sum()),
                percent(share(went_bad, group)),
                percent(float(predicted[:, group].mean())),
                percent(float(accepted[:, group].mean())),
                percent(float((~accepted[:, good]).mean())),
            )
        )
    return table(("group", "applications", "bad", "predicted", "accepted", "good ones declined"), rows)


def weight_table(model: LogisticRegression) -> str:
    weights = [("(bias)", model.intercept_[0]), *zip(FEATURES, model.coef_[0])]
    return table(("feature", "weight"), ((f"`{name}`", f"{weight:+.6f}") for name, weight in weights))


def table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def number(value: float, digits: int = 3) -> str:
    return "n/a" if isnan(value) else f"{value:.{digits}f}"


def percent(value: float) -> str:
    return "n/a" if isnan(value) else f"{100 * value:.1f} %"
