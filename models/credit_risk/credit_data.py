"""The credit applications: their fields, and how they become the model's input.

export.py brings the model's columns into the order in which the service encodes its fields.
"""

import csv
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

RATE_CODES = (1, 2, 3, 4)
FOREIGN_WORKER = ("yes", "no")
EMPLOYMENT_SINCE = ("unemployed", "... < 1 year", "1 <= ... < 4 years", "4 <= ... < 7 years", "... >= 7 years")
STATUS_AND_SEX = (  # the codebook's A91 to A95, in its order
    "male: divorced/separated",
    "female: divorced/separated/married",
    "male: single",
    "male: married/widowed",
    "female: single",
)
NEVER_OBSERVED = "personal_status_and_sex=female: single"
AGES = range(18, 121)  # what the service accepts; the data have 19 to 75

CATEGORIES = {
    "installment_rate_code": RATE_CODES,
    "foreign_worker": FOREIGN_WORKER,
    "present_employment_since": EMPLOYMENT_SINCE,
    "personal_status_and_sex": STATUS_AND_SEX,
}
FEATURES = ("age_in_years",) + tuple(f"{field}={value}" for field, values in CATEGORIES.items() for value in values)


@dataclass(frozen=True)
class Application:
    """One credit application, its installment rate still coded as in the data."""

    installment_rate_code: int
    age_in_years: int
    foreign_worker: str
    present_employment_since: str
    personal_status_and_sex: str


def read_data(path: Path) -> tuple[list[Application], np.ndarray]:
    """The applications of `german_credit.csv`, and whether each credit went bad (1) or not (0)."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    applications = [
        Application(
            installment_rate_code=int(row["installment_rate_code"]),
            age_in_years=int(row["age_in_years"]),
            foreign_worker=row["foreign_worker"],
            present_employment_since=row["present_employment_since"],
            personal_status_and_sex=api_spelling(row["personal_status_and_sex"]),
        )
        for row in rows
    ]
    went_bad = np.array([("good", "bad").index(row["creditability"]) for row in rows])
    return applications, went_bad


def api_spelling(label: str) -> str:
    """The data's `male : single` is `male: single` in the API."""
    return label.replace(" :", ":")


def encode(applications: list[Application]) -> np.ndarray:
    """One row of `FEATURES` for each application: the age in years, then ones and zeros."""
    return np.array([encode_one(application) for application in applications])


def encode_one(application: Application) -> list[float]:
    """The age, then 1 or 0 for each category of each field."""
    features = [float(application.age_in_years)]
    for field, values in CATEGORIES.items():
        position = values.index(getattr(application, field))  # a ValueError for a label that is not in the codebook
        features += [float(index == position) for index in range(len(values))]
    return features


def all_applications(ages: range | tuple[int, ...]) -> list[Application]:
    """Every combination of the categories, at each of the ages."""
    return [
        Application(rate, age, foreign, employment, status)
        for rate, foreign, employment, status, age in product(
            RATE_CODES, FOREIGN_WORKER, EMPLOYMENT_SINCE, STATUS_AND_SEX, ages
        )
    ]


def installment_rate_code(rate: float) -> int:
    """The data's code for an installment rate, given as a fraction of the disposable income."""
    if not 0 < rate <= 1:
        raise ValueError(f"an installment rate must be above 0 and at most 1, not {rate}")
    if rate >= 0.35:
        return 1
    if rate >= 0.25:
        return 2
    return 3 if rate >= 0.20 else 4
