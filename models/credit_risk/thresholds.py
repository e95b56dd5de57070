"""The decision threshold and the cut points of the risk categories, with their outcomes out of fold.

This is their only definition: `train.py` copies them to model.toml, from which the service reads them. MODEL_CARD.md
explains the values with the tables that are computed here.
"""

from dataclasses import dataclass

import numpy as np

DECISION_THRESHOLD = 0.30  # below: ACCEPT
RISK_CATEGORY_CUT_POINTS = (0.30, 0.35, 0.40)
RISK_CATEGORIES = ("low_risk", "medium_risk", "high_risk", "very_high_risk")

COMPARED_THRESHOLDS = (1 / 6, 0.20, 0.25, 0.30, 0.35, 0.40)
COMPARED_CUT_POINTS = ((0.25, 0.30, 0.40), RISK_CATEGORY_CUT_POINTS)
DATA_SET_COST = 5.0  # of accepting a bad credit, in units of declining a good one: the data set's own cost matrix
BALANCED_COST = (1 - DECISION_THRESHOLD) / DECISION_THRESHOLD  # the ratio of costs for which the threshold is optimal


def decision(probability: float) -> str:
    return "ACCEPT" if probability < DECISION_THRESHOLD else "DECLINE"


def risk_category(probability: float) -> str:
    return RISK_CATEGORIES[int(np.digitize(probability, RISK_CATEGORY_CUT_POINTS))]


@dataclass(frozen=True)
class Outcome:
    """The result of accepting all applications below a threshold."""

    accepted: float
    bad_among_accepted: float
    bad_among_declined: float
    data_set_cost: float  # both costs per 1,000 applications
    balanced_cost: float


def outcome(threshold: float, predicted: np.ndarray, went_bad: np.ndarray) -> Outcome:
    """The outcome over all out-of-fold predictions, of the shape (repeats, applications)."""
    bad = np.broadcast_to(went_bad, predicted.shape).astype(bool)
    accepted = predicted < threshold
    per_thousand = 1000 / bad.size
    accepted_bad, declined_good = np.sum(accepted & bad), np.sum(~accepted & ~bad)
    return Outcome(
        accepted=float(accepted.mean()),
        bad_among_accepted=share(bad, accepted),
        bad_among_declined=share(bad, ~accepted),
        data_set_cost=per_thousand * float(DATA_SET_COST * accepted_bad + declined_good),
        balanced_cost=per_thousand * float(BALANCED_COST * accepted_bad + declined_good),
    )


@dataclass(frozen=True)
class Band:
    """The applications whose predicted probability lies in one band."""

    lower: float
    upper: float
    share: float
    predicted: float  # mean
    observed: float  # bad rate
    lowest_observed: float  # of a single repeat
    highest_observed: float


def bands(cut_points: tuple[float, ...], predicted: np.ndarray, went_bad: np.ndarray) -> list[Band]:
    """The bands between the cut points, over all out-of-fold predictions."""
    edges = (0.0, *cut_points, 1.0)
    bad = np.broadcast_to(went_bad, predicted.shape).astype(bool)
    result = []
    for lower, upper in zip(edges, edges[1:]):
        inside = (lower <= predicted) & (predicted < upper)
        by_repeat = [share(bad[repeat], inside[repeat]) for repeat in range(len(predicted))]
        result.append(
            Band(
                lower,
                upper,
                share=float(inside.mean()),
                predicted=float(predicted[inside].mean()),
                observed=share(bad, inside),
                lowest_observed=min(by_repeat),
                highest_observed=max(by_repeat),
            )
        )
    return result


def assert_risk_rises(categories: list[Band]) -> None:
    """Stops unless each category has a higher observed risk than the one before, as its name says."""
    observed = [band.observed for band in categories]
    if sorted(set(observed)) != observed:
        raise SystemExit(f"RISK_CATEGORY_CUT_POINTS: observed bad rates must rise by category, but are {observed}")


def share(of: np.ndarray, within: np.ndarray) -> float:
    """The share of `of` among those `within`; NaN if there are none within."""
    return float(of[within].mean()) if within.any() else float("nan")
