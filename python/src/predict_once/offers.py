"""What an exported estimator can answer: the predictions, where the graph holds them, and how the library answers them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import ExportError
from .graph import Array, Graph
from .lowering.registry import Lowered
from .names import pascal_case, schema_name, slug
from .rules import MOST_PREDICTIONS, check_prediction_name, known_keys
from .types import Kind, Prediction, Scalar, label_text, plain

Library = Callable[[Any], list[Any]]


@dataclass
class Offer:
    """One prediction."""

    key: str  # in `kinds` and `endpoints`
    kind: Kind
    name: str
    about: str  # the target, in a summary
    tensor: str
    width: int
    library: Library
    values: Sequence[Scalar] = ()  # the classes, or the names of the numbers
    position: bool = False  # whether the tensor holds a class's position
    column: int | None = None  # the only column of the tensor that it reads
    usual: bool = True  # whether it is offered without `kinds`


def offers(model: Any, lowered: Lowered, graph: Graph, target: str, labels: Sequence[Scalar] | None) -> list[Offer]:
    """All predictions of an estimator."""

    def predicted(data: Any) -> Array:
        return np.asarray(model.predict(data))

    if lowered.value is not None and getattr(model, "is_share", False):
        return [Offer("probability", "probability", target, target, lowered.value, 1, lambda d: numbers(predicted(d)), (0, 1))]
    if lowered.value is not None and lowered.count == 1:
        return [Offer("value", "value", target, target, lowered.value, 1, lambda data: numbers(predicted(data)))]
    if lowered.value is not None:
        names = names_of(labels or lowered.labels, lowered.count, target)

        def several(data: Any) -> list[Any]:
            return objects(names, predicted(data))

        return [Offer("values", "values", target, target, lowered.value, lowered.count, several, names)]
    if lowered.members:
        return offers_of_targets(model, lowered, graph, target, labels)
    known = list(lowered.labels) if lowered.labels is not None else np.asarray(model.classes_).tolist()
    names = labels_of(known, labels)
    places = {plain(label): position for position, label in enumerate(known)}

    def shares(data: Any) -> Array:
        return np.asarray(model.predict_proba(data), dtype=np.float64)

    def classes(data: Any) -> list[Any]:
        return [names[places[label]] for label in predicted(data).ravel().tolist()]

    size = len(names)
    tensor = lowered.probabilities or lowered.classes
    if lowered.index is None:
        result = [Offer("class", "class", target, target, tensor, size, classes, names)]
    else:
        result = [Offer("class", "class", target, target, lowered.index, 1, classes, names, position=True)]

    def add(key: str, kind: Kind, tensor: str, width: int, library: Library, values: Sequence[Scalar] = ()) -> Offer:
        offer = Offer(key, kind, f"{target}_{key}", target, tensor, width, library, values)
        result.append(offer)
        return offer

    if lowered.probabilities is not None:
        texts = [label_text(name) for name in names]
        add("probabilities", "probabilities", tensor, size, lambda data: objects(texts, shares(data)), names)
        if size == 2:
            second = add("probability", "probability", tensor, size, lambda data: numbers(shares(data)[:, 1]), names)
            second.column, second.usual = 1, False
    if lowered.score is not None:
        if lowered.decision is not None:
            add("decision", "value", lowered.decision, 1, lambda data: numbers(model.decision_function(data)))
        add("score", "value", lowered.score, 1, lambda data: numbers(model.score_samples(data)))
    return result


def numbers(values: Any) -> list[float]:
    """One number for each row."""
    array = np.asarray(values, dtype=np.float64)
    return [float(row) for row in array.reshape(len(array), -1)[:, 0]]


def objects(names: Sequence[Any], rows: Any) -> list[dict[str, float]]:
    """Named numbers for each row."""
    return [dict(zip(map(str, names), row, strict=True)) for row in np.asarray(rows, dtype=np.float64).tolist()]


def names_of(labels: Sequence[Scalar] | None, count: int, target: str) -> list[Scalar]:
    """The names of several targets."""
    if labels is None:
        return [f"{target}_{index}" for index in range(count)]
    if len(labels) != count:
        raise ExportError(f"labels has {len(labels)} entries, but the model has {count} targets.")
    return [label_text(label) for label in labels]


def labels_of(classes: Sequence[Any], labels: Sequence[Scalar] | None) -> list[Scalar]:
    """The classes as JSON types."""
    known = [plain(label) for label in classes]
    if labels is not None:
        if len(labels) != len(known):
            raise ExportError(f"labels has {len(labels)} entries, but the model has {len(known)} classes: {known}.")
        known = [plain(label) for label in labels]
    whole = [int(label) if isinstance(label, float) and label.is_integer() else label for label in known]
    if len({label_text(label) for label in whole}) < len(whole):
        raise ExportError(f"two classes have the same text: {whole}. Pass labels that differ.")
    if len(whole) < 2:
        raise ExportError(f"the model has only one class ({whole[0]!r}). Fit it on data with two or more classes.")
    return whole


def offers_of_targets(model: Any, lowered: Lowered, graph: Graph, target: str, labels: Sequence[Scalar] | None) -> list[Offer]:
    """A classifier with several targets: a list of labels if each is yes or no, else a class for each."""
    members = lowered.members
    names = names_of(labels, len(members), target)
    known = [[plain(label) for label in np.asarray(member.labels).tolist()] for member in members]
    positions = [graph.index(member.classes) for member in members]

    def predicted(data: Any) -> Array:
        rows = model.predict(data)
        return np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows)

    if all(classes in ([0, 1], [False, True]) for classes in known):

        def chosen(data: Any) -> list[Any]:
            return [[name for name, yes in zip(names, row, strict=True) if yes] for row in predicted(data).tolist()]

        result = [Offer("labels", "labels", target, target, graph.concat(positions), len(members), chosen, names)]
        if all(member.probabilities is not None for member in members):
            shares = graph.concat([graph.take(member.probabilities or "", [1]) for member in members])

            def probable(data: Any) -> list[Any]:
                return objects(names, second_columns(model.predict_proba(data)))

            shares_name = f"{target}_probabilities"
            result.append(Offer("probabilities", "values", shares_name, target, shares, len(members), probable, names))
        return result
    if len(members) > MOST_PREDICTIONS:
        raise ExportError(f"the model has {len(members)} targets, but a package has at most {MOST_PREDICTIONS} predictions.")
    result = []
    for index, (name, classes) in enumerate(zip(names, known, strict=True)):
        texts = labels_of(classes, None)
        places = {label: texts[position] for position, label in enumerate(classes)}

        def answer(data: Any, index: int = index, places: Mapping[Any, Any] = places) -> list[Any]:
            return [places[label] for label in predicted(data)[:, index].tolist()]

        result.append(Offer("class", "class", str(name), str(name), positions[index], 1, answer, texts, position=True))
    return result


def second_columns(shares: Any) -> Array:
    """The probabilities of the labels, from a matrix for each target or from one with a column for each."""
    if isinstance(shares, list):
        return np.stack([np.asarray(share)[:, 1] for share in shares], axis=1)
    return np.asarray(shares)


def chosen_offers(offered: Sequence[Offer], kinds: Sequence[str] | None, model: Any) -> list[Offer]:
    """Those that `kinds` names, in its order; else the usual ones."""
    if kinds is None:
        return [offer for offer in offered if offer.usual]
    keys = list(dict.fromkeys(offer.key for offer in offered))
    if "class" not in keys and list(kinds) != keys[:1] and not set(kinds) <= set(keys):
        if keys == ["value"]:
            raise ExportError(f"kinds={list(kinds)}: a regressor only has the kind 'value'.")
        raise ExportError(f"kinds={list(kinds)}: this model only has the kinds {', '.join(map(repr, keys))}.")
    if not kinds:
        raise ExportError(f"kinds is empty. Pass at least one of {', '.join(map(repr, keys))}.")
    known_keys(kinds, tuple(dict.fromkeys((*keys, "probabilities", "probability"))), "kinds")
    for kind in kinds:
        if kind in keys:
            continue
        if "probabilities" not in keys:
            raise ExportError(f"kinds has {kind!r}, but {type(model).__name__} has no probabilities. Pass kinds=['class'].")
        count = len(offered[0].values)
        raise ExportError(f"kinds has 'probability', but the model has {count} classes, not two. Pass 'probabilities'.")
    return [offer for kind in kinds for offer in offered if offer.key == kind]


def tensors_of(chosen: Sequence[Offer]) -> dict[str, int]:
    """The tensors side by side that make the graph's output, with their widths."""
    ordered = sorted(chosen, key=lambda offer: offer.position)
    return {offer.tensor: offer.width for offer in ordered}


def predictions_of(
    chosen: Sequence[Offer],
    tensors: Mapping[str, int],
    endpoints: Mapping[str, str],
    descriptions: Mapping[str, str],
) -> list[Prediction]:
    """The entries of `[[predictions]]`."""
    several = len({offer.key for offer in chosen}) < len(chosen)
    known_keys(endpoints, () if several else tuple(offer.key for offer in chosen), "endpoints")
    starts = dict(zip(tensors, np.cumsum([0, *tensors.values()]).tolist(), strict=False))
    total = sum(tensors.values())
    result: list[Prediction] = []
    for offer in chosen:
        taken = [other.get("schema") or pascal_case(other["name"]) for other in result]
        entry = prediction(offer, endpoints, descriptions, taken)
        first = starts[offer.tensor]
        if offer.kind in ("value", "probability") or offer.position:
            if total > 1:
                entry["output"] = first + (offer.column or 0)
            if offer.kind == "probability":
                entry["meaning"] = f"The probability of {label_text(offer.values[1])}"
        elif total > offer.width:
            entry["outputs"] = list(range(first, first + offer.width))
        if offer.kind not in ("value", "probability"):
            entry["values"] = list(offer.values)
        result.append(entry)
    return result


SUMMARIES = {
    "probabilities": "the probabilities of ",
    "probability": "the probability of ",
    "decision": "the decision on ",
    "score": "the score of ",
}


def prediction(
    offer: Offer,
    endpoints: Mapping[str, str],
    descriptions: Mapping[str, str],
    taken: Collection[str],
) -> Prediction:
    """What predictions of all kinds have. `taken` holds the schemas of the others."""
    name = offer.name
    check_prediction_name(name)
    endpoint = endpoints.get(offer.key, "").strip("/") or slug(name, f"endpoints={{{offer.key!r}: '…'}}")
    result: Prediction = {"name": name, "endpoint": endpoint, "kind": offer.kind}
    schema = schema_name(endpoint, offer.key, taken)
    if schema != pascal_case(name):
        result["schema"] = schema
    result["summary"] = f"Predict {SUMMARIES.get(offer.key, '')}{offer.about}"
    if name in descriptions:
        result["description"] = descriptions[name]
    return result
