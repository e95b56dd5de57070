"""CountVectorizer, TfidfVectorizer and HashingVectorizer: the service makes their columns of a text, beside other fields'.

A field has one file of vectorizers: where several read the same column, their columns lie side by side.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..class_names import class_names
from ..context import Context
from ..errors import ExportError
from ..graph import INPUT
from .dense import matrix
from .layout import Coding
from .symbols import AnyColumn, Category, Column, Number, Tensor
from .tensors import features_of
from .transformers import named
from .variables import Variable
from .vectorizer import COUNTS, HASHES, Vectorizer

MOST_COLUMNS = 2**17
"""The service makes a row of all columns for each text: 1 MiB of float64."""
LONGEST_GOLDEN = 10_000
HARD = (
    "",
    " \t\n\x1f\x00",
    "naïve Straße ΟΔΥΣΣΕΥΣ İstanbul ﬁne e\u0301 ½ x² Ⅷ",
    "漢字 😀 שלום हिन्दी \u200d\ufeff",
    "don't snake_case C++ a1 1,000.50 __init__",
    "A " * 50 + "a",
)
"""Texts on which a vectorizer that is almost right differs from the library."""


def is_vectorizer(step: Any) -> bool:
    """Whether a step turns texts into columns."""
    return not {COUNTS, HASHES}.isdisjoint(class_names(step))


def begins_with_texts(model: Any) -> bool:
    """Whether it is a Pipeline whose first step is a vectorizer."""
    steps = getattr(model, "steps", None) or []
    return bool(steps) and is_vectorizer(steps[0][1])


def vectorize(step: Any, columns: Sequence[AnyColumn], context: Context, path: str) -> list[Column]:
    """The columns of a vectorizer. The column of the data frame becomes a field of texts."""
    who = named(step, path)
    if len(columns) != 1:
        raise ExportError(f"{who} reads one column of texts, but gets {len(columns)}. Give each column its own vectorizer.")
    [column] = columns
    if isinstance(column, Number) or (isinstance(column, Category) and not column.is_plain):
        raise ExportError(f"{who} reads the result of another step. Let it read the column of texts itself.")
    variable = context.variables[column.variable]
    variable.type, variable.why = "text", f"{who} reads it as a text"
    if id(step) not in variable.vectorizers:
        variable.vectorizers[id(step)] = Vectorizer(step, who)
        variable.vectorizers[id(step)].file()  # refuses what the service does not support
    before = 0
    for known, vectorizer in variable.vectorizers.items():
        if known == id(step):
            break
        before += vectorizer.width
    own = variable.vectorizers[id(step)]
    if before + own.width > MOST_COLUMNS:
        raise ExportError(
            f"{who} has {before + own.width:,} columns, but a field has at most {MOST_COLUMNS:,}. Fit with fewer features."
        )
    coding = context.layout.codings.get(column.variable)
    result: list[Column] = []
    if coding is not None and coding.encoding == "text":
        first = context.layout.first[column.variable] + before
        result += [Number(Tensor(INPUT, first + index)) for index in range(own.width)]
    else:  # the first lowering, which finds out that it is a text
        result += features_of(f"{INPUT} {column.variable} {before}", own.width)
    context.vectorized[result[0]] = own
    return result


def transform(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    """TfidfTransformer: part of the CountVectorizer before it, or computed by the graph."""
    vectorizer = context.vectorized.get(columns[0])
    if vectorizer is not None and vectorizer.width == len(columns) and COUNTS in class_names(vectorizer.step):
        vectorizer.weights = step
        vectorizer.file()
        return columns
    if step.sublinear_tf:
        raise ExportError(f"{named(step, path)}: sublinear_tf is only supported behind a CountVectorizer. Use TfidfVectorizer.")
    graph = context.graph
    result = matrix(context, columns)
    if step.use_idf:
        result = graph.node("Mul", result, graph.constant([step.idf_]))
    if step.norm is not None:
        sizes = graph.node("Abs", result) if step.norm == "l1" else graph.node("Mul", result, result)
        total = graph.sum(sizes)
        norm = total if step.norm == "l1" else graph.node("Sqrt", total)
        none = graph.node("Equal", norm, graph.constant(0.0))
        result = graph.node("Div", result, graph.node("Where", none, graph.constant(1.0), norm))
    return features_of(result, len(columns))


def text_codings(variables: Sequence[Variable]) -> dict[int, Coding]:
    """The codings of the fields of texts."""
    return {
        position: Coding("text", size=sum(vectorizer.width for vectorizer in variable.vectorizers.values()))
        for position, variable in enumerate(variables)
        if variable.vectorizers
    }


def file_names(variables: Sequence[Variable]) -> dict[str, str]:
    """The name of each field's file of vectorizers, by the field's name."""
    names = [variable.name for variable in variables if variable.vectorizers]
    return {name: f"vectorizer_{index}.json" if len(names) > 1 else "vectorizer.json" for index, name in enumerate(names)}


def files_of(variables: Sequence[Variable]) -> dict[str, bytes]:
    """The contents of these files, by their names."""
    names, result = file_names(variables), {}
    for variable in variables:
        if variable.vectorizers:
            files = [vectorizer.file() for vectorizer in variable.vectorizers.values()]
            content = files[0] if len(files) == 1 else {"union": files}
            result[names[variable.name]] = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return result


def columns_of_texts(variables: Sequence[Variable]) -> Mapping[str, Any]:
    """How the library makes the columns of each field of texts."""

    def joined(variable: Variable) -> Any:
        return lambda texts: np.hstack([vectorizer.transform(texts) for vectorizer in variable.vectorizers.values()])

    return {variable.name: joined(variable) for variable in variables if variable.vectorizers}


def texts_of(X: Any) -> list[str] | None:
    """The texts, if it is a list, a Series or an array of texts."""
    if isinstance(X, (str, bytes)) or getattr(X, "ndim", 1) != 1 or not hasattr(X, "__iter__") or hasattr(X, "columns"):
        return None
    texts = list(X)
    return texts if texts and all(isinstance(text, str) for text in texts) else None
