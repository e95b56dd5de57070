"""What contributions need besides trees with covers: the prediction's entry, and the means of a linear model's columns."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from .context import Context
from .errors import ExportError
from .graph import INPUT
from .service import Runner
from .types import Field, Prediction, Row, Scalar, label_text, name_of

NAME = "reasons"
EXPLAINABLE = {"linear", "forests", "boosting", "lightgbm", "xgboost", "catboost", "averages"}
"""Lowerings whose score is a sum of trees or of columns. Averages of other members than trees have lowerings of their own."""


def require_explainable(context: Context, model: str) -> None:
    """Stops if the model's score is no sum of trees or of columns."""
    if len(context.lowered) != 1 or context.lowered[0] not in EXPLAINABLE:
        raise ExportError(
            f"explain: {model} is neither a tree ensemble nor a linear model, so contributions cannot be calculated exactly. "
            "Export it without explain."
        )


def contributions(explain: bool | Scalar, predictions: Sequence[Prediction], target: str) -> Prediction:
    """The entry of the prediction: for a regressor, or for the class `explain`, by default the second of two."""
    summary = f"Explain the prediction of {target}"
    entry: Prediction = {"name": NAME, "endpoint": NAME, "kind": "contributions", "summary": summary}
    by_kind = {prediction["kind"]: prediction for prediction in reversed(predictions)}
    if "value" in by_kind:
        if explain is not True:
            raise ExportError(f"explain={explain!r}: a regressor has no classes. Pass explain=True.")
        return entry | {"output": by_kind["value"]["output"]} if "output" in by_kind["value"] else entry
    scores = by_kind.get("probabilities", by_kind.get("class"))
    if scores is None or "output" in scores:
        raise ExportError(
            "explain: the kinds have neither a number nor the score of each class. Pass kinds with 'probabilities'."
        )
    labels = [name_of(value) for value in scores["values"]]
    texts = [label_text(label) for label in labels]
    if explain is True and len(labels) == 2:
        position = 1
    elif explain is not True and label_text(explain) in texts:
        position = texts.index(label_text(explain))
    else:
        raise ExportError(f"explain={explain!r}: pass the class whose score is explained, one of {', '.join(map(repr, labels))}.")
    entry["output"] = scores["outputs"][position] if "outputs" in scores else position
    entry["meaning"] = f"The score is that of {texts[position]}."
    return entry


def add_means(model: onnx.ModelProto, tensors: Sequence[str], fields: Sequence[Field], rows: Sequence[Row]) -> None:
    """Adds the means of the columns of these tensors over the rows to the metadata."""
    known = {name for node in model.graph.node for name in node.input}
    means: dict[str, list[float]] = {}
    for name in dict.fromkeys(tensors):
        if name not in known:
            continue
        if name == INPUT:
            values = Runner(model, fields).encode(rows)
        else:
            part = onnx.ModelProto()
            part.CopyFrom(model)
            del part.graph.output[:]
            part.graph.output.append(helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["N", None]))
            values = Runner(part, fields).run(rows)
        means[name] = np.nanmean(np.asarray(values, dtype=np.float64), axis=0).tolist()
    if means:
        model.metadata_props.add(key="feature_means", value=json.dumps(means))


def add_reasons(fields: Sequence[Field], reasons: Mapping[str, str | Sequence[str]]) -> None:
    """Adds the texts that give fields as reasons."""
    for field in fields:
        if (reason := reasons.get(field["name"])) is not None:
            field["reason"] = reason if isinstance(reason, str) else list(reason)
