"""One classifier for each class, for each pair of classes, or for each bit of a code."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..class_names import class_names
from ..columns.symbols import Column
from ..context import Context
from ..errors import ExportError
from .dummy import constant
from .registry import Lowered
from .registry import lower_member as lower_any


def lower(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    names = class_names(model)
    if "sklearn.OneVsRestClassifier" in names:
        return one_vs_rest(context, model, columns, path)
    if "sklearn.OneVsOneClassifier" in names:
        return one_vs_one(context, model, columns, path)
    graph = context.graph
    outputs = graph.concat(
        [binary(context, member, columns, f"{path} → bit {i}")[0] for i, member in enumerate(model.estimators_)]
    )
    difference = graph.node(
        "Sub", graph.node("Unsqueeze", outputs, graph.constant([1], np.int64)), graph.constant(model.code_book_[np.newaxis])
    )
    return Lowered(scores=graph.node("Neg", graph.sum(graph.node("Mul", difference, difference), axis=2, keepdims=0)))


def binary(context: Context, member: Any, columns: Sequence[Column], path: str) -> tuple[str, Lowered]:
    """How strongly a member says yes, `[N, 1]`: its decision, or else its probability."""
    if type(member).__name__ == "_ConstantPredictor":  # of a class that all rows have, or none
        always = float(np.ravel(member.y_)[0])
        both = constant(context, columns, np.array([1 - always, always]))
        return context.graph.take(both, [1]), Lowered(probabilities=both, decision=context.graph.take(both, [1]))
    lowered = lower_any(context, member, columns, path)
    if lowered.value is not None:
        return lowered.value, lowered
    if hasattr(member, "decision_function"):
        if lowered.decision is None:
            raise ExportError(f"{path} reads the decision of {type(member).__name__}, which cannot be exported.")
        return lowered.decision, lowered
    return context.graph.take(lowered.probabilities or "", [1]), lowered


def one_vs_rest(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    graph = context.graph
    parts = [binary(context, member, columns, f"{path} → class {i}") for i, member in enumerate(model.estimators_)]
    shares = [lowered.probabilities for _, lowered in parts]
    if model.multilabel_:
        return Lowered(
            members=[
                Lowered(probabilities=share, scores=signed(context, member, score), labels=(0, 1))
                for (score, _), share, member in zip(parts, shares, model.estimators_, strict=True)
            ]
        )
    if len(parts) == 1:
        [(score, lowered)] = parts
        return Lowered(
            probabilities=lowered.probabilities,
            scores=signed(context, model.estimators_[0], score),
            decision=score,
        )
    scores = graph.concat([score for score, _ in parts])
    if any(share is None for share in shares):
        return Lowered(scores=scores, decision=scores)
    each = graph.concat([graph.take(share or "", [1]) for share in shares])
    total = graph.sum(each)
    empty = graph.node("Equal", total, graph.constant(0.0))
    probabilities = graph.node("Div", each, graph.node("Where", empty, graph.constant(1.0), total))
    return Lowered(probabilities=probabilities, scores=scores, decision=scores, index=graph.index(scores))


def signed(context: Context, member: Any, score: str) -> str:
    """Two columns, whose first maximum is the member's answer."""
    graph = context.graph
    middle = 0.0 if hasattr(member, "decision_function") or not hasattr(member, "classes_") else 0.5
    return graph.node("MatMul", graph.node("Sub", score, graph.constant(middle)), graph.constant([[-1.0, 1.0]]))


def one_vs_one(context: Context, model: Any, columns: Sequence[Column], path: str) -> Lowered:
    graph = context.graph
    size = len(model.classes_)
    confidences, answers = [], []
    chosen = model.pairwise_indices_
    if chosen is not None:
        raise ExportError(f"{path} has members with kernels of their own, which cannot be exported.")
    for index, member in enumerate(model.estimators_):
        score, lowered = binary(context, member, columns, f"{path} → pair {index}")
        confidences.append(score)
        answers.append(graph.index(lowered.classes))
    yes, confidence = graph.concat(answers), graph.concat(confidences)
    pairs = [(one, other) for one in range(size) for other in range(one + 1, size)]
    votes, base, trust = np.zeros((len(pairs), size)), np.zeros(size), np.zeros((len(pairs), size))
    for position, (one, other) in enumerate(pairs):
        votes[position, one], votes[position, other] = -1, 1
        base[one] += 1
        trust[position, one], trust[position, other] = -1, 1
    counted = graph.node("Add", graph.node("MatMul", yes, graph.constant(votes)), graph.constant([base]))
    total = graph.node("MatMul", confidence, graph.constant(trust))
    scale = graph.node("Mul", graph.node("Add", graph.node("Abs", total), graph.constant(1.0)), graph.constant(3.0))
    decision = graph.node("Add", counted, graph.node("Div", total, scale))
    if size > 2:
        return Lowered(scores=decision, decision=decision)
    second = graph.take(decision, [1])
    return Lowered(scores=signed(context, model.estimators_[0], second), decision=second)
