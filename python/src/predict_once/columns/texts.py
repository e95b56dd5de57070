"""CountVectorizer, TfidfVectorizer and HashingVectorizer: the service makes their columns of a text, beside other fields'.

A field has one file of vectorizers: where several read the same column, their columns lie side by side.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..context import Context
from ..errors import ExportError
from ..graph import INPUT, Array
from .dense import matrix
from .layout import Coding
from .symbols import AnyColumn, Category, Column, Number, Tensor
from .tensors import features_of
from .transformers import class_names, named
from .variables import Variable

COUNTS, HASHES = "sklearn.CountVectorizer", "sklearn.HashingVectorizer"
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


@dataclass
class Vectorizer:
    """A fitted vectorizer, with the TfidfTransformer behind it, if there is one."""

    step: Any
    path: str
    weights: Any = None

    @property
    def width(self) -> int:
        """The number of columns."""
        hashed = HASHES in class_names(self.step)
        return int(self.step.n_features) if hashed else len(self.step.vocabulary_)

    def transform(self, texts: Sequence[str]) -> Array:
        """The columns that the library makes of texts."""
        columns = self.step.transform(texts)
        columns = columns if self.weights is None else self.weights.transform(columns)
        return np.asarray(columns.toarray(), dtype=np.float64)

    def file(self) -> dict[str, Any]:
        """The parameters and what has been learned, as docs/model-package.md describes them."""
        step, path = self.step, self.path
        for name in ("preprocessor", "tokenizer", "analyzer", "strip_accents", "stop_words"):
            if callable(getattr(step, name)):
                raise ExportError(
                    f"{path}: {name} is a Python function, which has no counterpart in the service. Fit without it."
                )
        for name in ("preprocessor", "tokenizer"):
            if getattr(step, name) is not None:
                raise ExportError(f"{path}: {name} is not supported. Fit without it.")
        if step.input != "content":
            raise ExportError(f"{path} reads files (input={step.input!r}). Fit it on the texts, with input='content'.")
        words = step.analyzer == "word"
        analyzer = {
            "analyzer": step.analyzer,
            "token_pattern": step.token_pattern,
            "ngram_range": list(step.ngram_range),
            "lowercase": step.lowercase,
            "strip_accents": step.strip_accents,
            "stop_words": sorted(step.get_stop_words() or ()) if words else [],
        }
        file: dict[str, Any] = {"analyzer": analyzer, "binary": bool(step.binary)}
        if np.dtype(step.dtype) == np.float32:
            file["dtype"] = "float32"
        if HASHES in class_names(step):
            return file | {"n_features": step.n_features, "alternate_sign": bool(step.alternate_sign), "norm": step.norm}
        file["vocabulary"] = sorted(step.vocabulary_, key=step.vocabulary_.get)
        weights = step if hasattr(step, "sublinear_tf") else self.weights
        if weights is not None:
            if weights.sublinear_tf and "dtype" in file:
                raise ExportError(f"{path}: sublinear_tf in float32 is not supported. Fit with dtype=np.float64.")
            file["norm"], file["sublinear_tf"] = weights.norm, bool(weights.sublinear_tf)
            file["idf"] = [float(number) for number in weights.idf_] if weights.use_idf else None
        return file


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
