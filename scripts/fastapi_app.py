"""The same API in FastAPI, written as its documentation teaches: what scripts/compare-fastapi measures beside the service.

It runs the same ONNX model and caches nothing. Everything that FastAPI's declarations can say is said; nothing is added that
would have to be programmed.
"""

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import numpy
import onnxruntime
from fastapi import Body, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

SESSION = onnxruntime.InferenceSession(Path(__file__).parent.parent / "models/credit_risk/model.onnx")
METADATA = {
    name: json.loads(value)
    for name, value in SESSION.get_modelmeta().custom_metadata_map.items()
    if name in ("feature_names", "decision_threshold", "risk_category_cut_points")
}


class CreditApplication(BaseModel):
    """A credit application: all five fields, and no others."""

    model_config = ConfigDict(extra="forbid")

    installment_rate_in_percentage_of_disposable_income: Annotated[
        float,
        Field(
            gt=0, le=1, description="The instalment as a **fraction** of disposable income: `0.25` is 25 %.", examples=[0.25]
        ),
    ]
    age_in_years: Annotated[int, Field(ge=18, le=120, description="The applicant's age in complete years.", examples=[30])]
    foreign_worker: Annotated[
        Literal["yes", "no"], Field(description="Whether the applicant is a foreign worker.", examples=["yes"])
    ]
    present_employment_since: Annotated[
        Literal["unemployed", "... < 1 year", "1 <= ... < 4 years", "4 <= ... < 7 years", "... >= 7 years"],
        Field(description="For how long the applicant has been in the present employment.", examples=["unemployed"]),
    ]
    personal_status_and_sex: Annotated[
        Literal[
            "male: divorced/separated",
            "female: divorced/separated/married",
            "male: single",
            "male: married/widowed",
            "female: single",
        ],
        BeforeValidator(lambda value: value.replace(" :", ":") if isinstance(value, str) else value),
        Field(
            description="Personal status and sex; the data's own spelling with a space before the colon is accepted.",
            examples=["male: single"],
        ),
    ]


class Decision(StrEnum):
    ACCEPT = "ACCEPT"
    DECLINE = "DECLINE"


class RiskCategory(StrEnum):
    LOW = "low_risk"
    MEDIUM = "medium_risk"
    HIGH = "high_risk"
    VERY_HIGH = "very_high_risk"


class DecisionAnswer(BaseModel):
    decision: Annotated[Decision, Field(description="Whether the credit is granted.", examples=["DECLINE"])]


class ProbabilityAnswer(BaseModel):
    probability: Annotated[
        float, Field(ge=0, le=1, description="The probability that the credit goes bad: 0.25 is 25 %.", examples=[0.32025427])
    ]


class RiskCategoryAnswer(BaseModel):
    risk_category: Annotated[RiskCategory, Field(description="How risky the credit is.", examples=["high_risk"])]


Application = Annotated[
    CreditApplication,
    Body(
        openapi_examples={
            "unemployed": {
                "summary": "A single man of 30 without employment",
                "value": {
                    "installment_rate_in_percentage_of_disposable_income": 0.25,
                    "age_in_years": 30,
                    "foreign_worker": "yes",
                    "present_employment_since": "unemployed",
                    "personal_status_and_sex": "male: single",
                },
            },
            "long_employed": {
                "summary": "A single man of 45, for ten years in the same employment",
                "value": {
                    "installment_rate_in_percentage_of_disposable_income": 0.4,
                    "age_in_years": 45,
                    "foreign_worker": "no",
                    "present_employment_since": "... >= 7 years",
                    "personal_status_and_sex": "male: single",
                },
            },
        }
    ),
]

app = FastAPI(
    title="Credit risk",
    summary="Three predictions about a credit application.",
    description="Estimates credit risk from five attributes. Each prediction takes the same application.",
    version="0.1.0",
    contact={"name": "The predict-once developers"},
    license_info={"name": "MIT", "identifier": "MIT"},
    openapi_tags=[{"name": "Predictions", "description": "One model, asked in several ways."}],
)

if origins := os.environ.get("CORS_ALLOWED_ORIGINS"):
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins.split(","),
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=["cache-control", "content-type"],
        max_age=7200,
    )


def predict(application: CreditApplication) -> float:
    rate = application.installment_rate_in_percentage_of_disposable_income
    ones = {
        f"installment_rate_code={1 if rate >= 0.35 else 2 if rate >= 0.25 else 3 if rate >= 0.2 else 4}",
        *(f"{name}={value}" for name, value in application if isinstance(value, str)),
    }
    row = [application.age_in_years, *(float(name in ones) for name in METADATA["feature_names"][1:])]
    (output,) = SESSION.run(None, {SESSION.get_inputs()[0].name: numpy.array([row], numpy.float32)})
    return float(str(output.flat[0]))


@app.post("/decisions", tags=["Predictions"], summary="Whether the credit is granted")
def decisions(application: Application) -> DecisionAnswer:
    """An application is accepted if the probability that the credit goes bad is below the model's threshold."""
    accepted = predict(application) < METADATA["decision_threshold"]
    return DecisionAnswer(decision=Decision.ACCEPT if accepted else Decision.DECLINE)


@app.post("/probabilities", tags=["Predictions"], summary="How probable it is that the credit goes bad")
def probabilities(application: Application) -> ProbabilityAnswer:
    """The model's own output, from which the decision and the risk category follow."""
    return ProbabilityAnswer(probability=predict(application))


@app.post("/risk_categories", tags=["Predictions"], summary="How risky the credit is, in four categories")
def risk_categories(application: Application) -> RiskCategoryAnswer:
    """The four categories are bands of the probability that the credit goes bad."""
    band = sum(predict(application) >= cut for cut in METADATA["risk_category_cut_points"])
    return RiskCategoryAnswer(risk_category=list(RiskCategory)[band])
