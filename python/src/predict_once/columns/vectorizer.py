"""A fitted vectorizer of texts: its columns, and the file that the service reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..class_names import class_names
from ..errors import ExportError
from ..graph import Array

COUNTS, HASHES = "sklearn.CountVectorizer", "sklearn.HashingVectorizer"


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
