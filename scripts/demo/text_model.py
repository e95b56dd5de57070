#!/usr/bin/env python3
"""text_model.py DIRECTORY: writes the demo's package, a text model that takes ten milliseconds or more. Needs nothing but Python.

It finds the topic of a support ticket from its words. So that it costs what models of texts cost, it also runs a recurrent layer
of random weights, which hardly changes the answer.
"""

import json
import random
import sys
from array import array
from pathlib import Path

TOPICS = {
    "billing": ["invoice", "charged", "card", "refund", "price", "payment"],
    "delivery": ["parcel", "courier", "tracking", "late", "address", "delivered"],
    "returns": ["return", "exchange", "size", "broken", "damaged", "wrong"],
    "account": ["password", "login", "email", "locked", "profile", "account"],
}
OTHER_WORDS = """
    a again and arrived at been by can change day for from get has have help i in is it my no not of on order
    please since still the there this time to today two was week what when where with yesterday you your
""".split()
EMBEDDING, HIDDEN = 64, 1024

FLOAT, INT64 = 1, 7  # ONNX's numbers of types
INT_ATTRIBUTE, INTS_ATTRIBUTE = 2, 7


def varint(number):
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])


def message(*fields):
    """A protobuf message: numbers are varints, everything else is prefixed with its length."""
    encoded = b""
    for tag, value in fields:
        if isinstance(value, int):
            encoded += varint(tag << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            encoded += varint(tag << 3 | 2) + varint(len(value)) + value
    return encoded


def constant(name, shape, values, number=FLOAT):
    data = array("f" if number == FLOAT else "q", values)
    if sys.byteorder == "big":
        data.byteswap()
    return message(*[(1, size) for size in shape], (2, number), (8, name), (9, data.tobytes()))


def node(operator, inputs, outputs, **attributes):
    def attribute(name, value):
        if isinstance(value, int):
            return message((1, name), (3, value), (20, INT_ATTRIBUTE))
        return message((1, name), *[(8, number) for number in value], (20, INTS_ATTRIBUTE))

    described = [(5, attribute(name, value)) for name, value in attributes.items()]
    return message(*[(1, name) for name in inputs], *[(2, name) for name in outputs], (3, outputs[-1]), (4, operator), *described)


def tensor(name, number, *dimensions):
    shape = message(*[(1, message((1 if isinstance(size, int) else 2, size))) for size in dimensions])
    return message((1, name), (2, message((1, message((1, number), (2, shape))))))


def graph(vocabulary):
    draw = random.Random(0).uniform
    embedding = [[draw(-0.1, 0.1) for _ in range(EMBEDDING)] for _ in vocabulary]
    for position, words in enumerate(TOPICS.values()):
        for word in words:
            embedding[vocabulary[word]][position] = 5.0
    keywords = [float(row == column) for row in range(EMBEDDING) for column in range(len(TOPICS))]
    constants = [
        constant("embedding", [len(vocabulary), EMBEDDING], [number for row in embedding for number in row]),
        constant("keywords", [EMBEDDING, len(TOPICS)], keywords),
        constant("w", [1, 3 * HIDDEN, EMBEDDING], [draw(-0.05, 0.05) for _ in range(3 * HIDDEN * EMBEDDING)]),
        constant("r", [1, 3 * HIDDEN, HIDDEN], [draw(-0.02, 0.02) for _ in range(3 * HIDDEN * HIDDEN)]),
        constant("last", [HIDDEN, len(TOPICS)], [draw(-0.01, 0.01) for _ in range(HIDDEN * len(TOPICS))]),
        constant("first_axis", [1], [0], INT64),
        constant("words_axis", [1], [1], INT64),
    ]
    nodes = [
        node("Gather", ["embedding", "input_ids"], ["words"]),
        node("ReduceSum", ["words", "words_axis"], ["sum"], keepdims=0),
        node("MatMul", ["sum", "keywords"], ["of_keywords"]),
        node("Transpose", ["words"], ["steps"], perm=[1, 0, 2]),
        node("GRU", ["steps", "w", "r"], ["", "states"], hidden_size=HIDDEN),
        node("Squeeze", ["states", "first_axis"], ["state"]),
        node("MatMul", ["state", "last"], ["of_state"]),
        node("Add", ["of_keywords", "of_state"], ["scores"]),
        node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    inputs, outputs = tensor("input_ids", INT64, "N", "length"), tensor("probabilities", FLOAT, "N", len(TOPICS))
    written = [(1, one) for one in nodes] + [(5, one) for one in constants]
    body = message(*written, (2, "tickets"), (11, inputs), (12, outputs))
    return message((1, 8), (7, body), (8, message((2, 17))))


def main():
    directory = Path(sys.argv[1])
    words = ["[UNK]", "[CLS]", *OTHER_WORDS, *(word for words in TOPICS.values() for word in words)]
    vocabulary = {word: position for position, word in enumerate(words)}
    tokenizer = {
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [],
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}},
        },
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }
    labels = ", ".join(json.dumps(topic) for topic in TOPICS)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer))
    (directory / "model.onnx").write_bytes(graph(vocabulary))
    (directory / "model.toml").write_text(
        f"""name = "tickets"

[[fields]]
name = "ticket"
type = "text"
tokenizer = "tokenizer.json"
max_length = 2000

[[examples]]
name = "parcel"
input = {{ ticket = "Where is my parcel? It has not arrived." }}

[[predictions]]
name = "topic"
endpoint = "topics"
kind = "class"
values = [{labels}]
"""
    )


if __name__ == "__main__":
    main()
