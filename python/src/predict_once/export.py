"""`export`: from a model to its package."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import onnx

from .agreement import Bounds, Estimator, Limits, as_fitted
from .columns.texts import begins_with_texts, texts_of
from .describe import requests_of
from .errors import Disagreement, ExportError
from .estimator import Converted, as_frame, convert
from .explain import add_means, add_reasons, contributions, require_explainable
from .images import image_classifier, is_image_classifier
from .names import package_name
from .native import as_estimator
from .own_graph import Checked, check_graph, load_graph
from .owner import Owner
from .package import Package, refuse_existing, refuse_files, write
from .report import Report
from .rules import check_kinds, check_package, is_wide, known_keys
from .saved import example, is_saved, load
from .text_model import TOLERANCE as TEXT_TOLERANCE
from .text_model import is_text_model, package_of
from .types import Example, Field, Golden, Prediction, Scalar, Unknown, UnknownValue
from .verify import Agreement

TOLERANCE = 1e-9
FLOAT32_TOLERANCE = 1e-5
IMAGE_TOLERANCE = 1e-4  # sums over thousands of float32 numbers, in another order


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
    feature_names: Sequence[str] | None = None,
    fields: Sequence[Field] | None = None,
    predictions: Sequence[Prediction] | None = None,
    examples: Sequence[Example] | None = None,
    golden: Sequence[Golden] | None = None,
    explain: bool | Scalar = False,
    reasons: Mapping[str, str | Sequence[str]] | None = None,
    input: Mapping[str, str] | None = None,
    unknown: UnknownValue | Mapping[str, UnknownValue] | None = None,
    unknown_fields: Unknown | None = None,
    overwrite: bool = False,
    tolerance: float | None = None,
    max_other_class: float = 0.0,
) -> Report:
    """Write a model package: a directory that predict-once serves as an API.

        predict_once.export(model, X, "models/penguins", target="species")

    The directory gets model.onnx, model.toml and golden.jsonl. Before that, the package is compared
    with the model's own predictions on the rows of `X`, and on rows of hard values: at and beside
    each threshold, beyond the range of `X`, each category, unknown ones, missing values.

    A fitted model of scikit-learn, LightGBM, XGBoost or CatBoost, or a Pipeline of them:

      `model`         The fitted estimator; or a booster of XGBoost, LightGBM or CatBoost; or where a
                      model was saved: a booster's file (.json, .ubj, .txt, .cbm), a skops file, or an
                      MLflow directory. The latter holds a pickle, which runs: only load what you trust.
      `X`             The data frame that it was fitted on; by default, MLflow's input example. Names,
                      types, categories and missing values of the API's fields come from it.
      `directory`     Where to write the package.
      `feature_names` Names of the columns, if `X` is a matrix. Default: x0, x1, …
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
      `labels`        Names of the classes, for a model that was fitted on 0, 1, 2, …; of a model with
                      several targets, the names of the targets.
      `unknown`       What the API does with a text that the model has not seen, for all fields of texts
                      or by field: "refuse" is an error, "ignore" the rule of the model's encoder,
                      "missing" reads it as a missing value. Default: the rule of the encoder if it has
                      one, else "refuse".
      `explain`       True adds the endpoint /reasons: how much each field adds to the model's score
                      (docs/explanations.md); of more than two classes, the one that is explained.
      `reasons`       Texts that give fields as reasons, by field: {"age": "Too young"}.

    A graph of your own: an ONNX file, or an onnx.ModelProto, as `model`, without `X` and `target`:

      `fields`, `predictions`, `examples`, `input`
                      The tables of model.toml, as dictionaries (docs/model-package.md).
      `golden`        Inputs with the training library's answers, at most 1,000.

    A TfidfVectorizer, CountVectorizer or HashingVectorizer reads a field of texts: in a
    ColumnTransformer the column's, in a Pipeline that begins with it the field `text`. `X` then is a
    list of texts.

    A model of text, in a directory as `optimum-cli export onnx` writes it (model.onnx, tokenizer.json,
    config.json), as `model`. Needs `pip install tokenizers`:

      `X`             Texts, on which the package is compared with the model; by default, a few.
      `target`        The name of the answer. Default: "label" for text classification, whose classes
                      are those of config.json, and "embedding" for feature extraction, pooled and
                      normalised as 1_Pooling and modules.json say; by default, pooled by the mean.

    An image classifier: a directory as `optimum-cli export onnx` writes it, with model.onnx,
    config.json (`id2label`) and preprocessor_config.json, as `model`, without `X`. Needs Pillow.

      `target`        What it predicts. Default: "label".

    All of them:

      `unknown_fields`
                      What the API does with fields that the model does not have: "refuse", the default,
                      lists them as errors; "ignore" answers without them.
      `overwrite`     Replace an existing package. What its owner wrote into model.toml stays, unless an
                      argument says otherwise: titles, descriptions, units, hints, bounds, endpoints,
                      aliases. So do other files in the directory.
      `name`, `title`, `description`
                      Texts about the package. The default name is the target.
      `tolerance`     The largest difference of a number; relative for numbers above 1. Default: 1e-9,
                      or 1e-5 in float32 (XGBoost, float32 data, graphs that read float32).
      `max_other_class`
                      The largest share of rows that differ by more or have another class.
                      Default: 0.

    Returns a `Report`; print it to see the endpoints, the fields and how closely the answers agree.

    Raises `ExportError` if the model cannot be exported, or if the package disagrees with it. The
    message says what to do instead, and nothing is written.
    """
    if directory is None:
        raise ExportError("directory is missing: export(model, X, 'models/penguins', target='species').")
    path = Path(directory)
    refuse_files(path)
    if not overwrite:
        refuse_existing(path)
    owner = Owner.of(path)
    if isinstance(model, (str, Path)) and is_saved(model) and not is_text_model(model) and not is_image_classifier(model):
        if X is None and Path(model).is_dir():
            X = example(Path(model))
        model = load(Path(model))
    is_image, is_text = is_image_classifier(model), is_text_model(model)
    if is_image or is_text:
        refuse_arguments(fields=fields, predictions=predictions, examples=examples, golden=golden, units=units, bounds=bounds)
        refuse_arguments(unknown=unknown, feature_names=feature_names, explain=explain or None, reasons=reasons)
    if is_image:
        refuse_arguments(X=X, labels=labels, descriptions=descriptions, kinds=kinds, endpoints=endpoints)
        package = image_classifier(Path(model), name or package_name(path.name), target or "label")
        agreement, limits = Agreement(), Limits(IMAGE_TOLERANCE if tolerance is None else tolerance, max_other_class)
    elif is_text:
        limits = Limits(TEXT_TOLERANCE if tolerance is None else tolerance, max_other_class)
        package, agreement = package_of(
            Path(model), X, target, name, kinds, endpoints or {}, descriptions or {}, labels, limits.tolerance
        )
        limits.enforce(agreement, "the texts")
    elif isinstance(model, (str, Path, onnx.ModelProto)):
        refuse_arguments(
            X=X,
            target=target,
            descriptions=descriptions,
            units=units,
            bounds=bounds,
            kinds=kinds,
            endpoints=endpoints,
            labels=labels,
            unknown=unknown,
            feature_names=feature_names,
            explain=explain or None,
            reasons=reasons,
        )
        if fields is None or predictions is None:
            raise ExportError("a graph needs fields=[…] and predictions=[…], the tables of model.toml (docs/model-package.md).")
        check_kinds(fields, predictions)
        checked = Checked(load_graph(model), list(fields), list(predictions), list(golden or ()))
        default = TOLERANCE if is_wide(checked.model) else FLOAT32_TOLERANCE
        limits = Limits(default if tolerance is None else tolerance, max_other_class)
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
        if reasons and explain is False:
            raise ExportError("reasons are texts of contributions. Pass explain=True, too.")
        if begins_with_texts(model) and texts_of(X) is None:
            raise ExportError("X must be the texts that the pipeline was fitted on: a list or a Series of strings.")
        frame, model = as_frame(X, feature_names), as_estimator(model, labels)
        fitted_on, explains = partial(as_fitted, X), explain is not False

        def compared(exact_shares: bool) -> tuple[Converted, Limits, Package, Agreement]:
            converted = convert(
                model,
                frame,
                fitted_on,
                target,
                kinds,
                endpoints or {},
                descriptions or {},
                labels,
                unknown,
                explains,
                exact_shares,
            )
            if explains and any(variable.vectorizers for variable in converted.variables):
                raise ExportError("explain: contributions of models that read texts are not supported. Leave explain out.")
            default = FLOAT32_TOLERANCE if converted.context.float32 else max(TOLERANCE, converted.context.rounding)
            limits = Limits(default if tolerance is None else tolerance, max_other_class)
            texts = name or package_name(target), descriptions or {}, units or {}
            try:
                result = Estimator(model, X, frame, converted, limits).package(
                    *texts, {**owner.bounds(converted.read), **(bounds or {})}
                )
            except Disagreement:
                # Forests whose sums for two classes are often equal but for the last bit; twice the trees are the price.
                if exact_shares or explains or not converted.context.shares:
                    raise
                return compared(exact_shares=True)
            return converted, limits, *result

        converted, limits, package, agreement = compared(exact_shares=False)
        if explains:
            require_explainable(converted.context, type(model).__name__)
            package.predictions = [*package.predictions, contributions(explain, converted.predictions, target)]
            rows = requests_of(frame, converted.variables, converted.layout)
            add_means(package.model, converted.context.graph.dense, package.fields, rows)
            known_keys(reasons or {}, [field["name"] for field in package.fields], "reasons")
            add_reasons(package.fields, reasons or {})
    package.title, package.description, package.input = title, description, dict(input or {})
    if unknown_fields is not None:
        package.input["unknown_fields"] = unknown_fields
    owner.keep(package, {entry["name"]: given_keys(entry, predictions, endpoints, descriptions) for entry in package.predictions})
    package.tolerance, package.max_other_class = limits.tolerance, max_other_class
    check_package(package)
    write(package, path, owner.files())
    return Report(
        path,
        tuple(package.fields),
        tuple(package.predictions),
        agreement.rows,
        agreement.largest,
        agreement.share,
        len(package.golden),
    )


def given_keys(
    entry: Prediction,
    predictions: Sequence[Prediction] | None,
    endpoints: Mapping[str, str] | None,
    descriptions: Mapping[str, str] | None,
) -> set[str]:
    """The keys of a prediction that the caller has given."""
    keys = set(entry) if predictions else set()
    keys |= {"endpoint"} if entry["kind"] in (endpoints or {}) else set()
    return keys | ({"description"} if entry["name"] in (descriptions or {}) else set())


def refuse_arguments(**given: Any) -> None:
    """Stops at an argument that only applies to the other kind of model."""
    for argument, value in given.items():
        if value is not None:
            raise ExportError(
                f"{argument} does not apply to this kind of model. Pass fields and predictions with an ONNX graph, X and target "
                "with an estimator."
            )
