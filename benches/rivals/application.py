"""Requests and responses of the FastAPI rivals: the fields of models/credit_risk, validated by Pydantic."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class CreditApplication(BaseModel):
    installment_rate_in_percentage_of_disposable_income: Annotated[float, Field(gt=0, le=1)]
    age_in_years: Annotated[int, Field(ge=18, le=120)]
    foreign_worker: Literal["yes", "no"]
    present_employment_since: Literal["unemployed", "... < 1 year", "1 <= ... < 4 years", "4 <= ... < 7 years", "... >= 7 years"]
    personal_status_and_sex: Literal[
        "male: divorced/separated",
        "female: divorced/separated/married",
        "male: single",
        "male: married/widowed",
        "female: single",
    ]


class Decision(BaseModel):
    decision: Literal["ACCEPT", "DECLINE"]


class Probability(BaseModel):
    probability: float


class RiskCategory(BaseModel):
    risk_category: Literal["low_risk", "medium_risk", "high_risk", "very_high_risk"]
