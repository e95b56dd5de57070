"""`export`, the only public function of this package."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd

from .describe import GOLDEN_ROWS, examples_of, fields_of, golden_frame, observed, requests_of
from .errors import ExportError
from .estimator import Converted, as_frame, convert, library_answers
from .names import package_name
from .own_graph import Checked, check_graph, load_graph
from .package import Package, refuse_existing, write
from .report import Report
from .rules import check_bounds, check_kinds, check_package, known_keys
from .service import answers, encode, run
from .types import Example, Field, Golden, Prediction, Scalar, Unknown
from .verify import Agreement, compare

COMPARED_ROWS = 10_000
Bounds = Mapping[str, tuple[float | None, float | None]]


def export(
    model: Any,
    X: Any = None,
    directory: str | Path | None = None,
    *,
    target: str | None = None,
    name: str | None = None,
    title: str | None = None,
    description: str | None = None,
    descriptions: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    bounds: Bounds | None = None,
    kinds: Sequence[str] | None = None,
    endpoints: Mapping[str, str] | None = None,
    labels: Sequence[Scalar] | None = None,
    fields: Sequence[Field] | None = None,
    predictions: Sequence[Prediction] | None = None,
    examples: Sequence[Example] | None = None,
    golden: Sequence[Golden] | None = None,
    input: Mapping[str, str] | None = None,
    unknown_fields: Unknown | None = None,
    overwrite: bool = False,
    tolerance: float = 1e-5,
    max_other_class: float = 0.001,
) -> Report:
    """Write a model package: a directory that predict-once serves as an API.

        predict_once.export(model, X, "models/penguins", target="species")

    The directory gets model.onnx, model.toml and golden.jsonl. Before that, the package is compared
    with the model's own predictions on the rows of `X`.

    A fitted model of scikit-learn, LightGBM, XGBoost or CatBoost, or a Pipeline of them:

      `model`         The fitted estimator.
      `X`             The data frame that it was fitted on. Names, types, categories and missing values
                      of the API's fields come from it.
      `directory`     Where to write the package.
      `target`        What the model predicts, such as "species". A classifier answers at /species and
                      /species_probabilities, a regressor at /species.
      `descriptions`  Descriptions by field or prediction: {"age": "In completed years."}
      `units`         Units by field: {"age": "years"}
      `bounds`        Bounds by field: {"age": (18, 120), "income": (0, None)}. Without them, the API
                      accepts any number; model.toml has the observed range as a comment.
      `kinds`         What a classifier answers: some of "class", "probabilities" and, of two classes,
                      "probability" (of the second). Default: class and probabilities.
      `endpoints`     Paths by kind, in place of the default ones:
                      {"class": "kind", "probabilities": "kind_shares"}.
                      A regressor has the kind "value".
      `labels`        Names of the classes, for a model that was fitted on 0, 1, 2, …

    A graph of your own: an ONNX file, or an onnx.ModelProto, as `model`, without `X` and `target`:

      `fields`, `predictions`, `examples`, `input`
                      The tables of model.toml, as dictionaries (docs/model-package.md).
      `golden`        Inputs with the training library's answers, at most 1,000.

    Both:

      `unknown_fields`
                      What the API does with fields that the model does not have: "refuse", the default,
                      lists them as errors; "ignore" answers without them.
      `overwrite`     Replace an existing package. Other files in the directory stay.
      `name`, `title`, `description`
                      Texts about the package. The default name is the target.
      `tolerance`     The largest difference of a number; relative for numbers above 1.
      `max_other_class`
                      The largest share of rows that differ by more or have another class.

    Returns a `Report`; print it to see the endpoints, the fields and how closely the answers agree.

    Raises `ExportError` if the model cannot be exported, or if the package disagrees with it. The
    message says what to do instead, and nothing is written.
    """
    if directory is None:
        raise ExportError("directory is missing: export(model, X, 'models/penguins', target='species').")
    path = Path(directory)
    if not overwrite:
        refuse_existing(path)
    limits = Limits(tolerance, max_other_class)
    if isinstance(model, (str, Path, onnx.ModelProto)):
        refuse_arguments(
            X=X,
            target=target,
            descriptions=descriptions,
            units=units,
            bounds=bounds,
            kinds=kinds,
            endpoints=endpoints,
            labels=labels,
        )
        if fields is None or predictions is None:
            raise ExportError("a graph needs fields=[…] and predictions=[…], the tables of model.toml (docs/model-package.md).")
        check_kinds(fields, predictions)
        checked = Checked(load_graph(model), list(fields), list(predictions), list(golden or ()))
        check_graph(checked, limits.tolerance)
        package = Package(
            checked.model, name or package_name(path.name), checked.fields, checked.predictions, examples or (), checked.golden
        )
        agreement = checked.agreement
        limits.enforce(agreement, "the golden answers")
    else:
        refuse_arguments(fields=fields, predictions=predictions, examples=examples, golden=golden)
        if X is None or target is None:
            raise ExportError("an estimator needs X and target: export(model, X, 'models/penguins', target='species').")
        package, agreement = from_estimator(
            model, X, target, name, kinds, endpoints or {}, descriptions or {}, units or {}, bounds or {}, labels, limits
        )
    package.title, package.description, package.input = title, description, dict(input or {})
    if unknown_fields is not None:
        package.input["unknown_fields"] = unknown_fields
    package.tolerance, package.max_other_class = tolerance, max_other_class
    check_package(package)
    write(package, path)
    return Report(
        path,
        tuple(package.fields),
        tuple(package.predictions),
        agreement.rows,
        agreement.largest,
        agreement.share,
        len(package.golden),
    )


def refuse_arguments(**given: Any) -> None:
    """Stops at an argument that only applies to the other kind of model."""
    for argument, value in given.items():
        if value is not None:
            raise ExportError(
                f"{argument} does not apply to this kind of model. Pass fields and predictions with an ONNX graph, X and target "
                "with an estimator."
            )


class Limits:
    """How closely the answers must agree."""

    def __init__(self, tolerance: float, max_other_class: float) -> None:
        self.tolerance, self.max_other_class = tolerance, max_other_class

    def enforce(self, agreement: Agreement, what: str) -> None:
        """Stops if the answers differ by more than the limits allow."""
        if agreement.share > self.max_other_class:
            raise ExportError(
                f"the package disagrees with {what}: {len(agreement.other)} of {agreement.rows:,} rows have another class and "
                f"{len(agreement.beyond)} a number beyond tolerance={self.tolerance:g} ({agreement.share:.2%} of the rows; "
                f"max_other_class={self.max_other_class:g} allows {self.max_other_class:.2%}). The largest difference is "
                f"{agreement.largest:.1e}. The graph reads float32: pass a higher limit if that is close enough, or scale "
                "the features and fit again."
            )


def from_estimator(
    model: Any,
    X: Any,
    target: str,
    name: str | None,
    kinds: Sequence[str] | None,
    endpoints: Mapping[str, str],
    descriptions: Mapping[str, str],
    units: Mapping[str, str],
    bounds: Bounds,
    labels: Sequence[Scalar] | None,
    limits: Limits,
) -> tuple[Package, Agreement]:
    """The package of a fitted estimator, checked on its own data."""
    frame = as_frame(X)
    converted = convert(model, frame, target, kinds, endpoints, descriptions, labels)
    variables, layout = converted.variables, converted.layout
    types = {variables[position].name: variables[position].type for position in layout.codings}
    known_keys(descriptions, (*types, *(entry["name"] for entry in converted.predictions)), "descriptions")
    known_keys(units, tuple(types), "units")
    known_keys(bounds, tuple(types), "bounds")
    check_bounds(bounds, types)
    fields = fields_of(variables, layout, descriptions, units, bounds)

    step = max(1, -(-len(frame) // COMPARED_ROWS))
    sample = frame.iloc[::step].reset_index(drop=True)
    agreement = agreement_on(model, as_fitted(X, sample), sample, converted, fields, limits)
    limits.enforce(agreement, "the training library on the rows of X")

    drawn = golden_frame(frame, bounds)
    data = as_fitted(X, drawn)
    on_golden = agreement_on(model, data, drawn, converted, fields, limits)
    limits.enforce(on_golden, "the training library on rows of X with each column shuffled")
    # Rows on which float32 and float64 disagree test rounding, not the service.
    chosen = [row for row in range(len(drawn)) if row not in on_golden.failed][:GOLDEN_ROWS]
    wanted = library_answers(model, data, converted)
    requests = requests_of(drawn, variables, layout)
    golden: list[Golden] = [
        {"input": requests[row], "answers": {key: values[row] for key, values in wanted.items()}} for row in chosen
    ]
    comments = {variables[position].name: observed(variables[position]) for position in layout.codings}
    package = Package(
        converted.model,
        name or package_name(target),
        fields,
        converted.predictions,
        examples_of(fields),
        golden,
        comments=comments,
    )
    return package, agreement


def as_fitted(X: Any, frame: pd.DataFrame) -> Any:
    """The rows in the form that the model was fitted on: a data frame or a matrix."""
    return frame if isinstance(X, pd.DataFrame) else frame.to_numpy(dtype=np.asarray(X).dtype)


def agreement_on(
    model: Any, data: Any, frame: pd.DataFrame, converted: Converted, fields: Sequence[Field], limits: Limits
) -> Agreement:
    """How closely the package agrees with the library on these rows."""
    requests = requests_of(frame, converted.variables, converted.layout)
    output = run(converted.model, encode(fields, requests))
    actual = {entry["name"]: answers(entry, output) for entry in converted.predictions}
    return compare(library_answers(model, data, converted), actual, limits.tolerance)
