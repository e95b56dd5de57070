"""The shipped model in ONNX Runtime, with the encodings and predictions of its model.toml, for all Python rivals."""

import tomllib
from bisect import bisect_right
from pathlib import Path

import numpy
import onnxruntime

PACKAGE = Path(__file__).resolve().parents[2] / "models/credit_risk"


def encoding(field):
    """A function that maps a field's value to the graph's input columns."""
    if "bands" in field:
        bands = field["bands"]
        columns = numpy.eye(len(bands) + 1, dtype=numpy.float32).tolist()
        return lambda value: columns[bisect_right(bands, value)]
    if "values" in field:
        columns = numpy.eye(len(field["values"]), dtype=numpy.float32).tolist()
        names = {value["name"]: columns[position] for position, value in enumerate(field["values"])}
        return names.__getitem__
    return lambda value: [value]


class CreditRisk:
    def __init__(self):
        definition = tomllib.loads((PACKAGE / "model.toml").read_text())
        self.encodings = [(field["name"], encoding(field)) for field in definition["fields"]]
        self.bands = {
            prediction["name"]: (numpy.float32(prediction["cuts"]), [value["name"] for value in prediction["values"]])
            for prediction in definition["predictions"]
            if prediction["kind"] == "bands"
        }
        # Rows are predicted one at a time, so more threads would only add synchronisation.
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(PACKAGE / "model.onnx", options)
        self.input = self.session.get_inputs()[0].name

    def probability(self, application):
        """The probability for an application, a dict of field values."""
        row = [column for name, encode in self.encodings for column in encode(application[name])]
        [[[probability]]] = self.session.run(None, {self.input: numpy.array([row], numpy.float32)})
        return probability

    def predict(self, prediction, application):
        """`prediction` is `decision`, `probability` or `risk_category`."""
        probability = self.probability(application)
        if prediction == "probability":
            return float(probability)
        cuts, names = self.bands[prediction]
        return names[numpy.searchsorted(cuts, probability, "right")]
