"""Compares the package's answers with the training library's."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Agreement:
    """How closely the answers to some rows agree."""

    rows: int = 0
    largest: float = 0.0
    beyond: set[int] = field(default_factory=set)  # rows with a number that differs by more than the tolerance
    other: set[int] = field(default_factory=set)  # rows with another class

    @property
    def failed(self) -> set[int]:
        return self.beyond | self.other

    @property
    def share(self) -> float:
        """The share of rows that disagree."""
        return len(self.failed) / self.rows if self.rows else 0.0


def compare(expected: Mapping[str, Sequence[Any]], actual: Mapping[str, Sequence[Any]], tolerance: float) -> Agreement:
    """Compares the answers of each prediction row by row."""
    result = Agreement()
    for prediction, answers in expected.items():
        result.rows = max(result.rows, len(answers))
        scale = scale_of(answers)
        for row, (wanted, got) in enumerate(zip(answers, actual[prediction], strict=True)):
            if wanted is None:
                continue
            difference = difference_of(wanted, got, scale)
            if difference is None:
                result.other.add(row)
                continue
            result.largest = max(result.largest, difference)
            if not difference <= tolerance:
                result.beyond.add(row)
    return result


def scale_of(answers: Sequence[Any]) -> float:
    """The size below which differences are absolute: 1, or less if all answers are smaller."""
    parts = [part for answer in answers for part in (answer.values() if isinstance(answer, Mapping) else [answer])]
    numbers = [abs(part) for part in parts if isinstance(part, float) and math.isfinite(part)]
    return min(1.0, max(numbers, default=1.0)) or 1.0


def is_finite(answer: Any) -> bool:
    """Whether a response can hold the answer."""
    parts = answer.values() if isinstance(answer, Mapping) else [answer]
    return all(not isinstance(part, float) or math.isfinite(part) for part in parts)


def difference_of(wanted: Any, got: Any, scale: float = 1.0) -> float | None:
    """The difference of two answers, relative for numbers above `scale`; None for different classes."""
    if isinstance(wanted, Mapping):
        if not isinstance(got, Mapping) or wanted.keys() != got.keys():
            return None
        return largest_of([difference_of(wanted[key], got[key]) for key in wanted])
    if isinstance(wanted, list):
        if not isinstance(got, list) or len(wanted) != len(got):
            return None
        return largest_of([difference_of(item, other, scale) for item, other in zip(wanted, got, strict=True)])
    if (isinstance(wanted, float) and not isinstance(got, (bool, str))) or (type(wanted) is int and isinstance(got, float)):
        if wanted == got or math.isnan(wanted):  # no response can hold NaN
            return 0.0
        return abs(wanted - float(got)) / max(scale, abs(wanted)) if math.isfinite(wanted) else math.inf
    return 0.0 if type(wanted) is type(got) and wanted == got else None


def largest_of(differences: Sequence[float | None]) -> float | None:
    """None if any class differs."""
    numbers = [difference for difference in differences if difference is not None]
    return max(numbers, default=0.0) if len(numbers) == len(differences) else None
