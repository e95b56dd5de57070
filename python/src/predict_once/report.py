"""The result of `export`: the written package, and how closely it agrees with the model."""

from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from .types import Field, Prediction


@dataclass(frozen=True)
class Report:
    """A written package. `print(report)` shows a summary."""

    directory: Path
    fields: tuple[Field, ...]
    predictions: tuple[Prediction, ...]
    rows: int
    """The number of rows compared with the training library."""
    largest_difference: float
    """The largest difference of a number; relative where the number is above 1."""
    other_class: float
    """The share of rows with another class, or with a number beyond the tolerance."""
    golden: int
    """The number of rows in golden.jsonl."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(f"/{prediction['endpoint']}" for prediction in self.predictions if "endpoint" in prediction)

    def __str__(self) -> str:
        width = max(len(field["name"]) for field in self.fields)
        lines = [
            f"Wrote {self.directory}: model.onnx, model.toml" + (f", golden.jsonl ({self.golden} rows)" if self.golden else "")
        ]
        lines.append("")
        for prediction in self.predictions:
            if "endpoint" not in prediction:
                continue
            lines.append(
                f"  POST /{prediction['endpoint']}  →  {{{prediction['name']!r}: {shape(prediction)}}}".replace("'", '"')
            )
        lines.append("")
        shown = self.fields[:20]
        lines += [f"  {field['name']:<{min(width, 40)}}  {summary(field)}" for field in shown]
        if len(self.fields) > len(shown):
            lines.append(f"  … and {len(self.fields) - len(shown)} more fields")
        lines.append("")
        if self.rows:
            lines.append(
                f"Compared on {self.rows:,} rows: largest difference {self.largest_difference:.1e}, "
                f"{self.other_class:.2%} of the rows with another class or a number beyond the tolerance."
            )
        lines += ["", "Next:", f"  predict-once check {self.directory}", f"  MODEL_DIR={self.directory} predict-once"]
        return "\n".join(lines)


def shape(prediction: Prediction) -> str:
    """The type of the answer, in a word."""
    match prediction["kind"]:
        case "value" | "probability":
            return "number"
        case "class" | "bands":
            return "class"
        case "contributions":
            return "{base, contributions, …}"
        case "probabilities":
            return "{class: probability, …}"
        case "vector":
            return "[number, …]"
        case "values":
            return "{name: number, …}"
        case "labels":
            return "[label, …]"
        case "vector":
            return "base64" if prediction.get("encoding") == "base64" else "[number, …]"
        case "top":
            return "[{class, score}, …]"
        case "tensor":
            return "[…]"
        case unknown:
            assert_never(unknown)


def summary(field: Field) -> str:
    parts: list[str] = [field["type"]]
    if field.get("values"):
        parts.append(f"{len(field['values'])} values")
    if not field.get("required", True):
        parts.append("may be missing")
    return ", ".join(parts)
