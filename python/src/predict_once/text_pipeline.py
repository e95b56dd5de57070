"""A pipeline that begins with a vectorizer of texts: the service vectorizes, and the graph is the rest of the pipeline."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from sklearn.pipeline import Pipeline

from .columns.layout import Layout
from .columns.tensors import features_of
from .columns.transformers import class_names
from .context import Context
from .errors import ExportError
from .estimator import check_fitted
from .graph import INPUT, Array
from .lowering.registry import lower
from .names import package_name
from .offers import chosen_offers, offers, predictions_of, tensors_of
from .package import Package
from .service import answers
from .types import Example, Field, Golden, Scalar
from .verify import Agreement, compare, is_finite

COUNTS, HASHES = "sklearn.CountVectorizer", "sklearn.HashingVectorizer"
FILE = "vectorizer.json"
MOST_COLUMNS = 2**17
"""The service makes a row of all columns for each text: 1 MiB of float64."""
ROWS_AT_ONCE = 64
COMPARED_ROWS = 2_000
GOLDEN_ROWS = 300
LONGEST_GOLDEN = 10_000
HARD = (
    "",
    " \t\n\x1f\x00",
    "naïve Straße ΟΔΥΣΣΕΥΣ İstanbul ﬁne e\u0301 ½ x² Ⅷ",
    "漢字 😀 שלום हिन्दी \u200d\ufeff",
    "don't snake_case C++ a1 1,000.50 __init__",
    "A " * 50 + "a",
)


def is_text_pipeline(model: Any) -> bool:
    """Whether `model` is such a pipeline."""
    return isinstance(model, Pipeline) and bool({COUNTS, HASHES} & set(class_names(model.steps[0][1])))


def vectorizer_file(vectorizer: Any, weights: Any, path: str) -> dict[str, Any]:
    """The parameters of a vectorizer and what it has learned, as docs/model-package.md describes them. `weights` is a
    TfidfTransformer behind it, or None."""
    for name in ("preprocessor", "tokenizer", "analyzer", "strip_accents", "stop_words"):
        value = getattr(vectorizer, name)
        if callable(value):
            raise ExportError(f"{path}: {name} is a Python function, which has no counterpart in the service. Fit without it.")
    for name in ("preprocessor", "tokenizer"):
        if getattr(vectorizer, name) is not None:
            raise ExportError(f"{path}: {name} is not supported. Fit without it.")
    words = vectorizer.analyzer == "word"
    analyzer = {
        "analyzer": vectorizer.analyzer,
        "token_pattern": vectorizer.token_pattern,
        "ngram_range": list(vectorizer.ngram_range),
        "lowercase": vectorizer.lowercase,
        "strip_accents": vectorizer.strip_accents,
        "stop_words": sorted(vectorizer.get_stop_words() or ()) if words else [],
    }
    file: dict[str, Any] = {"analyzer": analyzer, "binary": bool(vectorizer.binary)}
    if np.dtype(vectorizer.dtype) == np.float32:
        file["dtype"] = "float32"
    if HASHES in class_names(vectorizer):
        if weights is not None:
            raise ExportError(f"{path}: a TfidfTransformer behind a HashingVectorizer is not supported. Use TfidfVectorizer.")
        return file | {
            "n_features": vectorizer.n_features,
            "alternate_sign": bool(vectorizer.alternate_sign),
            "norm": vectorizer.norm,
        }
    terms = vectorizer.vocabulary_
    file["vocabulary"] = sorted(terms, key=terms.get)
    weights = vectorizer if hasattr(vectorizer, "idf_") or hasattr(vectorizer, "sublinear_tf") else weights
    if weights is not None:
        if weights.sublinear_tf and "dtype" in file:
            raise ExportError(f"{path}: sublinear_tf in float32 is not supported. Fit with dtype=np.float64.")
        file["norm"], file["sublinear_tf"] = weights.norm, bool(weights.sublinear_tf)
        file["idf"] = [float(number) for number in weights.idf_] if weights.use_idf else None
    return file


def texts_of(X: Any) -> list[str]:
    """The texts, from a list, a Series or an array."""
    texts = list(X) if getattr(X, "ndim", 1) == 1 else []
    if not texts or not all(isinstance(text, str) for text in texts):
        raise ExportError("X must be the texts that the pipeline was fitted on: a list or a Series of strings.")
    return texts


def package_of(
    model: Pipeline,
    X: Any,
    target: str,
    name: str | None,
    kinds: Sequence[str] | None,
    endpoints: Mapping[str, str],
    descriptions: Mapping[str, str],
    labels: Sequence[Scalar] | None,
    tolerance: float,
) -> tuple[Package, Agreement]:
    """The package, and how closely its graph agrees with the library on the texts of X and on hard ones."""
    check_fitted(model)
    texts = texts_of(X)
    (first, vectorizer), *rest = model.steps
    path = f"the model.{first} ({type(vectorizer).__name__})"
    weights = rest[0][1] if "sklearn.TfidfTransformer" in class_names(rest[0][1]) else None
    file = vectorizer_file(vectorizer, weights, path)
    before = Pipeline(model.steps[: 1 if weights is None else 2])
    remaining = model.steps[len(before.steps) :]
    width = file.get("n_features") or len(file["vocabulary"])
    if width > MOST_COLUMNS:
        raise ExportError(f"{path} has {width:,} columns, but a field has at most {MOST_COLUMNS:,}. Fit with fewer features.")

    layout = Layout({})
    layout.width = width
    context = Context([], layout)
    estimator = remaining[0][1] if len(remaining) == 1 else Pipeline(remaining)
    lowered = lower(context, estimator, features_of(INPUT, width), "the model")
    chosen = chosen_offers(offers(model, lowered, context.graph, target, labels), kinds, model)
    tensors = tensors_of(chosen)
    predictions = predictions_of(chosen, tensors, endpoints, descriptions)
    output, size = context.graph.concat(list(tensors)), sum(tensors.values())
    graph = context.graph.finish(output, [f"text[{column}]" for column in range(width)], size, wide=lowered.wide)
    del graph.metadata_props[:]

    compared = [*HARD, *texts[:COMPARED_ROWS]]
    wanted = {entry["name"]: offer.library(compared) for entry, offer in zip(predictions, chosen, strict=True)}
    output_rows = run(graph, compared, before.transform)
    actual = {entry["name"]: answers(entry, output_rows) for entry in predictions}
    agreement = compare(wanted, actual, tolerance)
    golden: list[Golden] = []
    for row, text in enumerate(compared):
        answer = {name: values[row] for name, values in wanted.items()}
        if len(golden) < GOLDEN_ROWS and len(text) <= LONGEST_GOLDEN and all(map(is_finite, answer.values())):
            golden.append(Golden(input={"text": text}, answers=answer))
    field = Field(name="text", type="text", vectorizer=FILE, example=next((text for text in texts if text), "")[:200])
    if "text" in descriptions:
        field["description"] = descriptions["text"]
    example: Example = {"name": "text", "summary": "A text", "input": {"text": field["example"]}}
    content = json.dumps(file, ensure_ascii=False, separators=(",", ":")).encode()
    package = Package(
        graph,
        name or package_name(target),
        [field],
        predictions,
        [example],
        golden,
        files={FILE: content},
    )
    return package, agreement


def run(model: Any, texts: Sequence[str], transform: Callable[[Sequence[str]], Any]) -> Array:
    """The graph's output for each text."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    parts = []
    for start in range(0, len(texts), ROWS_AT_ONCE):
        rows = transform(texts[start : start + ROWS_AT_ONCE]).toarray().astype(np.float64)
        parts.append(session.run(None, {INPUT: rows})[0])
    return np.concatenate(parts)
