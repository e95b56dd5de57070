"""Compares the tree operators with ONNX Runtime and tract's own operator, in speed and exactness.

    trees.py PROGRAM TEMPLATE PAGE

PROGRAM is the bench `trees`, which loads and runs models on command. The models are trained once and kept in target/trees. The
table goes to standard output and replaces {rows} in TEMPLATE, which is written to PAGE. The exit code is not 0 if any answer is
further from the training library's than ONNX Runtime's is, or if a model takes much longer in float64.
"""

import hashlib
import importlib.metadata
import math
import os
import pickle
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

COLUMNS = 20
TRAINING_ROWS = 4_000
CHECKED_ROWS = 10_000
TIMED_ROWS = 256
ROUNDS = 9
ROUND_SECONDS = 0.06
LOAD_ROUNDS = 5
# The most that the same trees may take with numbers in float64, as a multiple of the time in float32.
MAX_FLOAT64 = 1.15
DIRECTORY = Path("target/trees")
LIBRARIES = ["scikit-learn", "lightgbm", "xgboost", "skl2onnx", "onnxmltools", "onnx", "onnxruntime", "numpy"]


def models():
    """(name, library, estimator, classes or 0 for a regressor, whether it takes missing values)"""
    from lightgbm import LGBMClassifier, LGBMRegressor
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        GradientBoostingRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from xgboost import XGBClassifier, XGBRegressor

    for trees in (100, 1000):
        yield f"random forest, {trees} trees", RandomForestClassifier(trees, random_state=1), 2, True
        yield f"gradient boosting, {trees} trees", GradientBoostingClassifier(n_estimators=trees, random_state=1), 2, False
        yield f"LightGBM, {trees} trees", LGBMClassifier(n_estimators=trees, random_state=1, verbose=-1), 2, True
        yield f"XGBoost, {trees} trees", XGBClassifier(n_estimators=trees, random_state=1), 2, True
    yield "random forest, 3 classes, 100 trees", RandomForestClassifier(100, random_state=1), 3, True
    yield "LightGBM, 3 classes, 300 trees", LGBMClassifier(n_estimators=100, random_state=1, verbose=-1), 3, True
    yield "XGBoost, 3 classes, 300 trees", XGBClassifier(n_estimators=100, random_state=1), 3, True
    yield "random forest, regressor, 100 trees", RandomForestRegressor(100, random_state=1), 0, True
    yield "gradient boosting, regressor, 100 trees", GradientBoostingRegressor(random_state=1), 0, False
    yield "LightGBM, regressor, 100 trees", LGBMRegressor(random_state=1, verbose=-1), 0, True
    yield "XGBoost, regressor, 1000 trees", XGBRegressor(n_estimators=1000, random_state=1), 0, True


def data(classes, missing):
    """Training rows and their targets."""
    from sklearn.datasets import make_classification, make_regression

    if classes:
        x, y = make_classification(
            TRAINING_ROWS, COLUMNS, n_informative=10, n_classes=classes, flip_y=0.1, random_state=7
        )
    else:
        x, y = make_regression(TRAINING_ROWS, COLUMNS, n_informative=10, noise=10.0, random_state=7)
    x = x.astype(np.float32)
    if missing:
        x[np.random.default_rng(3).random(x.shape) < 0.05] = np.nan
    return x, y


def convert(estimator):
    """The estimator as its exporter writes it, without ZipMap, which no service needs."""
    module = type(estimator).__module__.split(".")[0]
    if module == "sklearn":
        from skl2onnx import to_onnx

        options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else None
        return to_onnx(estimator, np.zeros((1, COLUMNS), np.float32), options=options)
    from onnxmltools.convert import convert_lightgbm, convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    inputs = [("X", FloatTensorType([None, COLUMNS]))]
    if module == "lightgbm":
        return convert_lightgbm(estimator, initial_types=inputs, zipmap=False)
    return convert_xgboost(estimator, initial_types=inputs)


def repair(estimator, model):
    """Corrects errors of two exporters, so that the measured differences are those of the operators.

    skl2onnx drops the branch to which scikit-learn's forests send missing values. onnxmltools rounds LightGBM's float64
    thresholds to the nearest float32, so a value that equals a threshold rounded up changes sides. Rounding down avoids this.
    """
    for node in model.graph.node:
        attributes = {a.name: a for a in node.attribute}
        if "nodes_values" not in attributes:
            continue
        if hasattr(estimator, "estimators_") and not hasattr(estimator, "loss_"):
            trees = np.array(attributes["nodes_treeids"].ints)
            ids = np.array(attributes["nodes_nodeids"].ints)
            tracks = attributes["nodes_missing_value_tracks_true"].ints
            for tree, fitted in enumerate(np.ravel(estimator.estimators_)):
                own = np.flatnonzero(trees == tree)
                for position, go_left in zip(own, fitted.tree_.missing_go_to_left[ids[own]]):
                    tracks[position] = int(go_left)
        if hasattr(estimator, "booster_"):
            exact = []
            pending = [tree["tree_structure"] for tree in estimator.booster_.dump_model()["tree_info"]]
            while pending:
                fitted = pending.pop()
                if "threshold" in fitted:
                    exact.append(fitted["threshold"])
                    pending += [fitted["left_child"], fitted["right_child"]]
            exact = np.array(exact)
            up = exact[exact.astype(np.float32) > exact].astype(np.float32)
            values = np.array(attributes["nodes_values"].floats, np.float32)
            values = np.where(np.isin(values, up), np.nextafter(values, np.float32(-np.inf)), values)
            attributes["nodes_values"].floats[:] = values.tolist()


def checked_rows(x, onnx_model, missing):
    """Random rows. Half of them have values exactly on thresholds; `missing` adds missing values to all of them."""
    random = np.random.default_rng(11)
    rows = np.stack([random.permutation(np.tile(x[:, c], 3))[:CHECKED_ROWS] for c in range(COLUMNS)], axis=1)
    rows = np.where(np.isnan(rows), random.normal(size=rows.shape), rows)
    rows += random.normal(scale=0.1, size=rows.shape)
    rows = rows.astype(np.float32)
    for node in onnx_model.graph.node:
        if not node.op_type.startswith("TreeEnsemble"):
            continue
        attributes = {a.name: a for a in node.attribute}
        branch = np.array([mode != b"LEAF" for mode in attributes["nodes_modes"].strings])
        features = np.array(attributes["nodes_featureids"].ints)[branch]
        thresholds = np.array(attributes["nodes_values"].floats, np.float32)[branch]
        for column in range(COLUMNS):
            own = thresholds[(features == column) & np.isfinite(thresholds)]
            if len(own):
                on = np.flatnonzero(random.random(CHECKED_ROWS // 2) < 0.5)
                rows[on, column] = random.choice(own, len(on))
    if missing:
        rows[random.random(rows.shape) < 0.05] = np.nan
    return rows


def train(name, estimator, classes, missing):
    """Trains and exports a model, or reuses an earlier one. Returns the ONNX file, rows and the training library's answers."""
    this = Path(__file__).read_bytes()
    versions = "".join(importlib.metadata.version(library) for library in LIBRARIES)
    key = hashlib.sha256(this + versions.encode() + name.encode()).hexdigest()[:16]
    slug = "".join(c if c.isalnum() else "-" for c in name)
    onnx_file = DIRECTORY / f"{slug}-{key}.onnx"
    kept = DIRECTORY / f"{slug}-{key}.pickle"
    if not kept.exists():
        print(f"training: {name}", file=sys.stderr)
        x, y = data(classes, missing)
        estimator.fit(x, y)
        model = convert(estimator)
        repair(estimator, model)
        onnx_file.write_bytes(model.SerializeToString())
        rows = checked_rows(x, model, missing)
        answers = estimator.predict_proba(rows) if classes else estimator.predict(rows)[:, None]
        kept.write_bytes(pickle.dumps((rows, answers)))
    return onnx_file, *pickle.loads(kept.read_bytes())


class Program:
    """The bench program, which answers one line per command."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        print(*words, sep="\t", file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().strip()
        if not answer or answer.startswith("error"):
            raise RuntimeError(answer)
        return answer


def session(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def bindings(onnx, rows):
    """An I/O binding for each row, so that no run pays for copying its input."""
    import onnxruntime

    bound = []
    for row in rows:
        binding = onnx.io_binding()
        binding.bind_ortvalue_input(
            onnx.get_inputs()[0].name, onnxruntime.OrtValue.ortvalue_from_numpy(row[None, :].copy())
        )
        for output in onnx.get_outputs():
            binding.bind_output(output.name)
        bound.append(binding)
    return bound


def time_onnxruntime(onnx, bound, runs):
    run = onnx.run_with_iobinding
    start = time.perf_counter_ns()
    for n in range(runs):
        run(bound[n % TIMED_ROWS])
    return (time.perf_counter_ns() - start) / runs


def overhead():
    """The time that ONNX Runtime takes in Python for a graph that does nothing."""
    from onnx import TensorProto, helper

    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, COLUMNS]) for name in "XY"]
    graph = helper.make_graph([helper.make_node("Identity", ["X"], ["Y"])], "g", info[:1], info[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx = session(model.SerializeToString())
    bound = bindings(onnx, np.zeros((TIMED_ROWS, COLUMNS), np.float32))
    return statistics.median(time_onnxruntime(onnx, bound, 5_000) for _ in range(ROUNDS))


def measure(program, name, onnx_file, rows, answers):
    """One row of the table."""
    rows_file, timed_file, out_file = (DIRECTORY / f"{part}.f32" for part in ("rows", "timed", "out"))
    rows_file.write_bytes(rows.tobytes())
    timed = rows[:: CHECKED_ROWS // TIMED_ROWS][:TIMED_ROWS]
    timed_file.write_bytes(timed.tobytes())

    engines = ["own", "float64", "tract"]
    try:
        program.ask("load", "tract", onnx_file, COLUMNS)
        # Engines that take over a second per run are not measured.
        if float(program.ask("run", "tract", timed_file, 1)) > 1e9:
            engines.remove("tract")
    except RuntimeError:
        engines.remove("tract")
    load = {engine: [] for engine in [*engines, "onnxruntime"]}
    for _ in range(LOAD_ROUNDS):
        for engine in engines:
            load[engine].append(float(program.ask("load", engine, onnx_file, COLUMNS)))
        start = time.perf_counter_ns()
        onnx = session(str(onnx_file))
        load["onnxruntime"].append(time.perf_counter_ns() - start)

    bound = bindings(onnx, timed)
    one = {
        engine: float(program.ask("run", engine, timed_file, 4 if engine == "tract" else TIMED_ROWS)) for engine in engines
    }
    one["onnxruntime"] = time_onnxruntime(onnx, bound, TIMED_ROWS)
    runs = {engine: max(4, math.ceil(ROUND_SECONDS * 1e9 / time)) for engine, time in one.items()}
    run = {engine: [] for engine in one}
    for _ in range(ROUNDS):
        for engine in engines:
            run[engine].append(float(program.ask("run", engine, timed_file, runs[engine])))
        run["onnxruntime"].append(time_onnxruntime(onnx, bound, runs["onnxruntime"]))

    program.ask("predict", "own", rows_file, out_file)
    ours = np.frombuffer(out_file.read_bytes(), np.float32).reshape(answers.shape)
    # One row at a time, as in a service: whole batches are summed in another order.
    name_in, name_out = onnx.get_inputs()[0].name, onnx.get_outputs()[-1].name
    theirs = np.concatenate([onnx.run([name_out], {name_in: row[None, :]})[0] for row in rows]).reshape(answers.shape)
    if "tract" in engines:
        subset = rows[:500]
        rows_file.write_bytes(subset.tobytes())
        program.ask("predict", "tract", rows_file, out_file)
        tract = np.frombuffer(out_file.read_bytes(), np.float32).reshape(len(subset), -1)
        tract_off = float(np.max(np.abs(tract - answers[:500])))
    else:
        tract_off = None
    return {
        "name": name,
        "run": {engine: statistics.median(times) for engine, times in run.items()},
        "load": {engine: statistics.median(times) for engine, times in load.items()},
        "off": {
            "own": float(np.max(np.abs(ours - answers))),
            "onnxruntime": float(np.max(np.abs(theirs - answers))),
            "tract": tract_off,
        },
        "same": bool(np.array_equal(ours, theirs)),
        "megabytes": onnx_file.stat().st_size / 1e6,
    }


def table_row(result):
    def cell(kind, engine, unit, digits):
        value = result[kind].get(engine)
        return "–" if value is None else f"{value / unit:,.{digits}f}"

    run, load, off = result["run"], result["load"], result["off"]
    return (
        f"| {result['name']} | {result['megabytes']:.1f} "
        f"| {cell('run', 'own', 1e3, 1)} | {cell('run', 'onnxruntime', 1e3, 1)} "
        f"| **{run['own'] / run['onnxruntime']:.2f}** | {cell('run', 'tract', 1e3, 0)} "
        f"| {cell('load', 'own', 1e6, 1)} | {cell('load', 'onnxruntime', 1e6, 1)} "
        f"| **{load['own'] / load['onnxruntime']:.2f}** | {cell('load', 'tract', 1e6, 1)} "
        f"| {off['own']:.1e} | {off['onnxruntime']:.1e} | {'yes' if result['same'] else 'no'} |"
    )


def main():
    program_path, template, page = sys.argv[1:4]
    only = sys.argv[4] if len(sys.argv) > 4 else ""
    warnings.filterwarnings("ignore")
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    # Trained on all cores, before anything is timed.
    trained = [(name, *train(name, *rest)) for name, *rest in models() if only in name]
    # One core for everything, so that both sides use the same one.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    program = Program(program_path)
    nothing = overhead()
    print(f"ONNX Runtime, empty graph: {nothing / 1e3:.1f} µs")
    rows = []
    wrong = []
    slow = []
    for model in trained:
        result = measure(program, *model)
        rows.append(table_row(result))
        print(rows[-1], flush=True)
        float64 = result["run"]["float64"] / result["run"]["own"]
        print(f"{result['name']}: {float64:.2f} times as long in float64", flush=True)
        if float64 > MAX_FLOAT64:
            slow.append(result["name"])
        if not result["off"]["own"] <= result["off"]["onnxruntime"]:
            wrong.append(result["name"])
    if not only:
        versions = ", ".join(f"{library} {importlib.metadata.version(library)}" for library in LIBRARIES)
        text = Path(template).read_text(encoding="utf-8")
        for marker, value in {
            "rows": "\n".join(rows),
            "versions": versions,
            "nothing": f"{nothing / 1e3:.1f}",
            "columns": str(COLUMNS),
            "training": f"{TRAINING_ROWS:,}",
            "checked": f"{CHECKED_ROWS:,}",
        }.items():
            text = text.replace("{" + marker + "}", value)
        Path(page).write_text(text, encoding="utf-8")
    if wrong:
        sys.exit(f"these models are further from the training library than ONNX Runtime: {', '.join(wrong)}")
    if slow:
        sys.exit(f"these models take more than {MAX_FLOAT64} times as long in float64: {', '.join(slow)}")


if __name__ == "__main__":
    main()
