"""Writes tests/fixtures: small models as their exporters write them, and what ONNX Runtime and the training library answer.

    tests/regenerate trees

Each model has a file NAME.onnx and NAME.json: rows (null: missing), labels and scores of ONNX Runtime, scores of the training
library. Half of the values lie exactly on a threshold. onnxruntime.json holds generated operators with every mode, aggregate
function and post-transform, and what ONNX Runtime answers.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from lightgbm import LGBMClassifier, LGBMRegressor
from onnx import TensorProto, helper
from onnxmltools.convert import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from xgboost import XGBClassifier, XGBRegressor

DIRECTORY = Path(__file__).parent / "fixtures"
COLUMNS = 4
warnings.filterwarnings("ignore")
onnxruntime.set_default_logger_severity(4)


def run(model, rows):
    """All outputs, with one row at a time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    outputs = [session.run(None, {name: row[None, :]}) for row in rows]
    return [np.concatenate(parts) for parts in zip(*outputs)]


def numbers(array):
    """Nested lists with null for NaN and text for infinities, which JSON lacks."""
    if isinstance(array, (list, np.ndarray)):
        return [numbers(value) for value in array]
    if isinstance(array, (float, np.floating)):
        return None if np.isnan(array) else str(array) if np.isinf(array) else float(array)
    return array if isinstance(array, str) else int(array)


def write(name, estimator, classes, missing):
    random = np.random.default_rng(5)
    x = random.normal(size=(300, COLUMNS)).astype(np.float32)
    if missing:
        x[random.random(x.shape) < 0.1] = np.nan
    signal = np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 1]) * np.nan_to_num(x[:, 2])
    y = np.digitize(signal, np.quantile(signal, np.arange(1, classes) / classes)) if classes else signal
    estimator.fit(x, y)
    if type(estimator).__module__.startswith("sklearn"):
        options = {id(estimator): {"zipmap": False}} if classes else None
        model = to_onnx(estimator, x[:1], options=options)
    else:
        inputs = [("X", FloatTensorType([None, COLUMNS]))]
        if type(estimator).__module__.startswith("lightgbm"):
            model = convert_lightgbm(estimator, initial_types=inputs, **({"zipmap": False} if classes else {}))
        else:
            model = convert_xgboost(estimator, initial_types=inputs)
    rows = random.normal(size=(40, COLUMNS)).astype(np.float32)
    for node in model.graph.node:
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if "nodes_values" not in attributes:
            continue
        features = np.array(attributes["nodes_featureids"].ints)
        thresholds = np.array(attributes["nodes_values"].floats, np.float32)
        branch = np.array([mode != b"LEAF" for mode in attributes["nodes_modes"].strings]) & np.isfinite(thresholds)
        for column in range(COLUMNS):
            own = thresholds[branch & (features == column)]
            if len(own):
                on = random.random(len(rows)) < 0.5
                rows[on, column] = random.choice(own, on.sum())
    if missing:
        rows[random.random(rows.shape) < 0.1] = np.nan
    outputs = run(model, rows)
    trained = estimator.predict_proba(rows) if classes else estimator.predict(rows)[:, None]
    (DIRECTORY / f"{name}.onnx").write_bytes(model.SerializeToString())
    expected = {
        "rows": numbers(rows),
        "labels": numbers(outputs[0]) if classes else None,
        "scores": numbers(outputs[-1].reshape(len(rows), -1)),
        "trained": numbers(trained),
    }
    (DIRECTORY / f"{name}.json").write_text(json.dumps(expected) + "\n")


def ensemble(random, modes, missing, leaf_targets, negative):
    """Attributes of random trees of depth 0 to 3, in pre-order. leaf_targets: how many weights a leaf has, of which targets."""
    nodes = {
        key: []
        for key in "treeids nodeids featureids modes values missing_value_tracks_true truenodeids falsenodeids".split()
    }
    weights = {key: [] for key in "treeids nodeids ids weights".split()}
    for tree in range(3):
        pending = [(0, None)]
        count = 0
        while pending:
            depth, slot = pending.pop()
            if slot is not None:
                nodes["falsenodeids"][slot] = count
            leaf = depth == 3 or random.random() < 0.2
            at = len(nodes["treeids"])
            for key, value in [
                ("treeids", tree),
                ("nodeids", count),
                ("featureids", 0 if leaf else int(random.integers(COLUMNS))),
                ("modes", "LEAF" if leaf else str(random.choice(modes))),
                ("values", 0.0 if leaf else float(random.integers(-2, 3)) / 2),
                ("missing_value_tracks_true", 0 if leaf or not missing else int(random.integers(2))),
                ("truenodeids", 0 if leaf else count + 1),
                ("falsenodeids", 0),
            ]:
                nodes[key].append(value)
            if leaf:
                for target in leaf_targets(random):
                    weight = float(random.integers(-8 if negative else 0, 9)) / 16
                    for key, value in [("treeids", tree), ("nodeids", count), ("ids", target), ("weights", weight)]:
                        weights[key].append(value)
            else:
                pending += [(depth + 1, at), (depth + 1, None)]
            count += 1
    return nodes, weights


def generated():
    """Operators, rows and ONNX Runtime's answers."""
    random = np.random.default_rng(2)
    all_modes = "BRANCH_LEQ BRANCH_LT BRANCH_GTE BRANCH_GT BRANCH_EQ BRANCH_NEQ".split()
    posts = "NONE SOFTMAX LOGISTIC SOFTMAX_ZERO PROBIT".split()
    cases = []
    for number in range(120):
        classifier = number % 2 == 0
        modes = all_modes if number % 3 == 0 else [all_modes[number // 3 % 6]]
        targets = [2, 2, 3, 1][number // 2 % 4] if classifier else [1, 2, 3][number // 2 % 3]
        one = int(random.integers(targets))
        choices = [
            lambda random: [one],
            lambda random: list(range(targets)),
            lambda random: [int(random.integers(targets))],
        ]
        nodes, weights = ensemble(random, modes, number % 4 > 1, choices[number // 5 % 3], number % 7 > 2)
        prefix = "class" if classifier else "target"
        attributes = {f"nodes_{key}": value for key, value in nodes.items()}
        attributes |= {f"{prefix}_{key}": value for key, value in weights.items()}
        attributes["post_transform"] = posts[number // 4 % 5]
        if classifier:
            attributes["classlabels_int64s"] = list(range(targets))
        else:
            attributes["n_targets"] = targets
            attributes["aggregate_function"] = ["SUM", "AVERAGE", "MIN", "MAX"][number // 2 % 4]
        lengths = [0, 1, 2] if classifier and targets == 2 else [0, targets]
        base = lengths[number // 3 % len(lengths)]
        # Here ONNX Runtime leaves the second score unwritten.
        several = len(set(weights["ids"])) > 1
        unwritten = classifier and targets == 2 and (base == 1 and several or attributes["post_transform"] == "PROBIT")
        if unwritten:
            base, attributes["post_transform"] = 0, "NONE"
        if base:
            attributes["base_values"] = [float(random.integers(-4, 5)) / 32 for _ in range(base)]
        operator = "TreeEnsembleClassifier" if classifier else "TreeEnsembleRegressor"
        outputs = ["label", "scores"] if classifier else ["scores"]
        node = helper.make_node(operator, ["X"], outputs, domain="ai.onnx.ml", **attributes)
        infos = [
            helper.make_tensor_value_info(name, TensorProto.INT64 if name == "label" else TensorProto.FLOAT, None)
            for name in outputs
        ]
        graph = helper.make_graph(
            [node], "g", [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, COLUMNS])], infos
        )
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
        rows = (random.integers(-3, 4, size=(8, COLUMNS)) / 2).astype(np.float32)
        rows[random.random(rows.shape) < 0.15] = np.nan
        answers = run(helper.make_model(graph, opset_imports=opsets, ir_version=9), rows)
        cases.append(
            {
                "operator": operator,
                "attributes": attributes,
                "rows": numbers(rows),
                "labels": numbers(answers[0]) if classifier and targets > 1 else None,
                "scores": numbers(answers[-1]),
            }
        )
    (DIRECTORY / "onnxruntime.json").write_text("\n".join(json.dumps(case) for case in cases) + "\n")


def main():
    DIRECTORY.mkdir(exist_ok=True)
    common = {"n_estimators": 4, "max_depth": 3, "random_state": 1}
    for kind, classes in [("binary", 2), ("multiclass", 3), ("regressor", 0)]:
        forest, boosting, lightgbm, xgboost = (
            (RandomForestClassifier, GradientBoostingClassifier, LGBMClassifier, XGBClassifier)
            if classes
            else (RandomForestRegressor, GradientBoostingRegressor, LGBMRegressor, XGBRegressor)
        )
        write(f"random_forest_{kind}", forest(**common), classes, False)
        write(f"gradient_boosting_{kind}", boosting(**common), classes, False)
        write(f"lightgbm_{kind}", lightgbm(**common, verbose=-1), classes, True)
        write(f"xgboost_{kind}", xgboost(**common), classes, True)
    generated()


if __name__ == "__main__":
    main()
