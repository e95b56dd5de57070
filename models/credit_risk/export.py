"""Turns the chosen pipeline into a model package of one linear layer and a sigmoid, and checks that the two agree."""

import json
import shutil
import tempfile
import tomllib
from itertools import cycle
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

import predict_once
from credit_data import AGES, FEATURES, NEVER_OBSERVED, RATE_CODES, Application, all_applications, encode, installment_rate_code
from thresholds import DECISION_THRESHOLD, RISK_CATEGORY_CUT_POINTS, decision, risk_category

WEIGHT_STEP = 2.0**-20  # about one millionth
TOLERANCE = 1e-6
OPSET, IR_VERSION = 17, 8

# The service's columns in the order of its fields: the bands of the installment rate from the lowest, which is the data's
# code 4, then the age, then the other categories.
RATE = "installment_rate_in_percentage_of_disposable_income"
BY_BAND = [f"installment_rate_code={code}" for code in sorted(RATE_CODES, reverse=True)]
ORDER = [FEATURES.index(name) for name in (*BY_BAND, "age_in_years")]
ORDER += [position for position in range(len(FEATURES)) if position not in ORDER]
COLUMNS = [f"{RATE}={band}" for band in range(len(BY_BAND))] + [FEATURES[position] for position in ORDER[len(BY_BAND) :]]

# Installment rates that represent the data's codes in golden.jsonl, including the edges of each code's band.
RATES = {
    1: (0.35, 0.4, 0.5, 0.75, 1.0),
    2: (0.25, 0.3, 0.349999),
    3: (0.2, 0.22, 0.249999),
    4: (0.001, 0.05, 0.1, 0.15, 0.199999),
}
GOLDEN_AGES = (AGES[0], 30, 45, 60, AGES[-1])
FILES = ("model.onnx", "model.toml", "golden.jsonl")


def final_model(pipeline: Pipeline, inputs: np.ndarray, went_bad: np.ndarray) -> LogisticRegression:
    """Fits on all data, folds the scaling of the age into weight and bias, and rounds them.

    Every weight becomes a multiple of `WEIGHT_STEP`. This removes the last digits of the solver, which depend on the
    machine. It also makes the weighted sum exact in float32, whatever the order of a runtime's additions: ages are
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
        raise SystemExit(f"{NEVER_OBSERVED} never occurs in the data, so its weight must be 0")
    return classifier


def to_step(values: np.ndarray) -> np.ndarray:
    return np.round(values / WEIGHT_STEP) * WEIGHT_STEP + 0.0  # + 0.0: no negative zero


def to_onnx(model: LogisticRegression, inputs: np.ndarray) -> onnx.ModelProto:
    """Gemm and Sigmoid on the service's columns, with the columns' names and their means in the training data as metadata."""
    weights = model.coef_.T.astype(np.float32)[ORDER]
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
    means = {"application": [round(float(mean), 6) for mean in inputs[:, ORDER].mean(axis=0)]}
    helper.set_model_props(exported, {"feature_names": json.dumps(COLUMNS), "feature_means": json.dumps(means)})
    onnx.checker.check_model(exported, full_check=True)
    return exported


def predict_with_onnxruntime(exported: onnx.ModelProto, inputs: np.ndarray) -> np.ndarray:
    """One application at a time, as in the service."""
    session = onnxruntime.InferenceSession(exported.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = inputs.astype(np.float32)[:, ORDER]
    return np.array([session.run(None, {"application": row.reshape(1, -1)})[0][0, 0] for row in rows])


def assert_unambiguous(model: LogisticRegression, exported: onnx.ModelProto) -> float:
    """Checks every input that the service accepts, and returns the largest difference between the two runtimes.

    They must agree, and no probability may be so close to a threshold that a rounding error could change an answer.
    """
    inputs = encode(all_applications(AGES))
    reference = model.predict_proba(inputs)[:, 1]
    difference = float(np.abs(reference - predict_with_onnxruntime(exported, inputs)).max())
    if difference > TOLERANCE:
        raise SystemExit(f"scikit-learn and onnxruntime differ by {difference}, but at most {TOLERANCE} is allowed")
    for threshold in {DECISION_THRESHOLD, *RISK_CATEGORY_CUT_POINTS}:
        closest = float(np.abs(reference - threshold).min())
        if closest <= TOLERANCE:
            raise SystemExit(f"a probability is only {closest} away from the threshold {threshold}: move the threshold")
    return difference


def write_package(output: Path, api: Path, model: LogisticRegression, exported: onnx.ModelProto) -> None:
    """model.onnx, model.toml and golden.jsonl. `api` is model.toml without the thresholds, written by hand."""
    tables = tomllib.loads(api.read_text(encoding="utf-8"))
    cuts = {"decision": [DECISION_THRESHOLD], "risk_category": list(RISK_CATEGORY_CUT_POINTS)}
    predictions = [
        prediction | ({"cuts": cuts[prediction["name"]]} if prediction["name"] in cuts else {})
        for prediction in tables["predictions"]
    ]
    # A folder of its own, since the package's directory also holds other files.
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "credit_risk"
        report = predict_once.export(
            exported,
            directory=package,
            name=tables["name"],
            title=tables["title"],
            description=tables["description"],
            input=tables["input"],
            fields=tables["fields"],
            predictions=predictions,
            examples=tables["examples"],
            golden=golden(model),
            tolerance=TOLERANCE,
            max_other_class=0,
        )
        print(report)
        for name in FILES:
            shutil.copyfile(package / name, output / name)


def golden(model: LogisticRegression) -> list[dict[str, object]]:
    """Every combination of the categories at five ages, each with the expected answers."""
    applications = all_applications(GOLDEN_AGES)
    rates = {code: cycle(fractions) for code, fractions in RATES.items()}
    rows: list[dict[str, object]] = []
    for application, probability in zip(applications, model.predict_proba(encode(applications))[:, 1]):
        rate = next(rates[application.installment_rate_code])
        if installment_rate_code(rate) != application.installment_rate_code:
            raise SystemExit(f"RATES: the installment rate {rate} does not have the code of {application}")
        probability = round(float(probability), 10)  # further digits depend on the processor's exp
        rows.append(
            {
                "input": {
                    RATE: rate,
                    "age_in_years": application.age_in_years,
                    "foreign_worker": application.foreign_worker,
                    "present_employment_since": application.present_employment_since,
                    "personal_status_and_sex": application.personal_status_and_sex,
                },
                "answers": {
                    "decision": decision(probability),
                    "probability": probability,
                    "risk_category": risk_category(probability),
                },
            }
        )
    return rows
