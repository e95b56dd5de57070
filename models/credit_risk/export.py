"""From the chosen pipeline to model.onnx and golden.csv: one linear layer, a sigmoid, and a proof that they agree."""

import csv
import json
from itertools import cycle
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from credit_data import AGES, FEATURES, NEVER_OBSERVED, Application, all_applications, encode, installment_rate_code
from thresholds import DECISION_THRESHOLD, RISK_CATEGORY_CUT_POINTS, decision, risk_category

WEIGHT_STEP = 2.0**-20  # about one millionth
TOLERANCE = 1e-6
OPSET, IR_VERSION = 17, 8

# Installment rates that stand for the data's codes in golden.csv, the edges of each code's band among them.
RATES = {
    1: (0.35, 0.4, 0.5, 0.75, 1.0),
    2: (0.25, 0.3, 0.349999),
    3: (0.2, 0.22, 0.249999),
    4: (0.001, 0.05, 0.1, 0.15, 0.199999),
}
GOLDEN_HEADER = (
    "installment_rate_in_percentage_of_disposable_income",
    "age_in_years",
    "foreign_worker",
    "present_employment_since",
    "personal_status_and_sex",
    "probability_scikit_learn",
    "probability_onnxruntime",
    "decision",
    "risk_category",
)


def final_model(pipeline: Pipeline, inputs: np.ndarray, went_bad: np.ndarray) -> LogisticRegression:
    """Fits on all the data, folds the standardised age into weight and bias, and rounds them.

    Every weight becomes a multiple of `WEIGHT_STEP`. That hides the last digits of the solver, in which machines
    differ. It also makes the weighted sum exact in float32, in whichever order a runtime adds it up: ages are
    whole numbers, and sums below 16 in steps of 2^-20 fit into the 24 bits of a float32.
    """
    fitted = pipeline.fit(inputs, went_bad)
    age = fitted[0].named_transformers_["age"]
    classifier = fitted[-1]
    weights, bias = classifier.coef_[0].copy(), classifier.intercept_[0]
    weights[0] /= age.scale_[0]
    bias -= weights[0] * age.mean_[0]

    classifier.coef_ = to_step(weights).reshape(1, -1)
    classifier.intercept_ = to_step(np.array([bias]))
    if classifier.coef_[0, FEATURES.index(NEVER_OBSERVED)] != 0:
        raise SystemExit(f"{NEVER_OBSERVED} is not in the data, so its weight must be 0")
    return classifier


def to_step(values: np.ndarray) -> np.ndarray:
    return np.round(values / WEIGHT_STEP) * WEIGHT_STEP + 0.0  # + 0.0: no negative zero


def to_onnx(model: LogisticRegression) -> onnx.ModelProto:
    """Gemm and Sigmoid, with the names of the features and the thresholds as metadata."""
    weights = model.coef_.T.astype(np.float32)
    graph = helper.make_graph(
        name="credit_risk",
        nodes=[
            helper.make_node("Gemm", ["application", "weights", "bias"], ["log_odds"]),
            helper.make_node("Sigmoid", ["log_odds"], ["probability"]),
        ],
        inputs=[helper.make_tensor_value_info("application", TensorProto.FLOAT, [1, len(FEATURES)])],
        outputs=[helper.make_tensor_value_info("probability", TensorProto.FLOAT, [1, 1])],
        initializer=[
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(model.intercept_.astype(np.float32), "bias"),
        ],
    )
    exported = helper.make_model(
        graph,
        producer_name="predict-once models/credit_risk/train.py",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(
        exported,
        {
            "model_name": "credit_risk",
            "feature_names": json.dumps(FEATURES),
            "decision_threshold": json.dumps(DECISION_THRESHOLD),
            "risk_category_cut_points": json.dumps(RISK_CATEGORY_CUT_POINTS),
        },
    )
    onnx.checker.check_model(exported, full_check=True)
    return exported


def predict_with_onnxruntime(exported: onnx.ModelProto, inputs: np.ndarray) -> np.ndarray:
    """One application at a time, as the service does it."""
    session = onnxruntime.InferenceSession(exported.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = inputs.astype(np.float32)
    return np.array([session.run(None, {"application": row.reshape(1, -1)})[0][0, 0] for row in rows])


def assert_unambiguous(model: LogisticRegression, exported: onnx.ModelProto) -> float:
    """Checks every input that the service accepts, and returns the largest difference between the two runtimes.

    They must agree, and no probability may be so close to a threshold that a rounding error could change an answer.
    """
    inputs = encode(all_applications(AGES))
    reference = model.predict_proba(inputs)[:, 1]
    difference = float(np.abs(reference - predict_with_onnxruntime(exported, inputs)).max())
    if difference > TOLERANCE:
        raise SystemExit(f"scikit-learn and onnxruntime differ by {difference}")
    for threshold in {DECISION_THRESHOLD, *RISK_CATEGORY_CUT_POINTS}:
        closest = float(np.abs(reference - threshold).min())
        if closest <= TOLERANCE:
            raise SystemExit(f"a probability is only {closest} away from the threshold {threshold}: move the threshold")
    return difference


def write_golden(path: Path, model: LogisticRegression, exported: onnx.ModelProto, data: list[Application]) -> None:
    """The applications of the data, then the corners of the input space, each with what must come out."""
    applications = data + all_applications((AGES[0], AGES[-1]))
    inputs = encode(applications)
    reference = model.predict_proba(inputs)[:, 1]
    onnx_reference = predict_with_onnxruntime(exported, inputs)
    rates = {code: cycle(fractions) for code, fractions in RATES.items()}

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(GOLDEN_HEADER)
        for application, probability, onnx_probability in zip(applications, reference, onnx_reference):
            rate = next(rates[application.installment_rate_code])
            if installment_rate_code(rate) != application.installment_rate_code:
                raise SystemExit(f"the installment rate {rate} does not stand for {application}")
            writer.writerow(
                (
                    rate,
                    application.age_in_years,
                    application.foreign_worker,
                    application.present_employment_since,
                    application.personal_status_and_sex,
                    f"{probability:.10f}",  # further digits depend on the processor's exp
                    str(onnx_probability),
                    decision(probability),
                    risk_category(probability),
                )
            )
