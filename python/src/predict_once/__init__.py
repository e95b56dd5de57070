"""Turns a fitted model into a model package, which predict-once serves as an API.

    import predict_once
    print(predict_once.export(model, X, "models/penguins", target="species"))

The path of a model, in reading order:

* export.py: the one function
* estimator.py: from a fitted estimator to a graph, fields and predictions
* columns/: preprocessing, followed in symbols
* lowering/: each family of estimators as ONNX operators
* trees.py: trees of all libraries as one TreeEnsembleRegressor
* describe.py: the fields, golden rows and examples, from the data frame
* rules.py, names.py: what the service asks of names, values and bounds
* service.py, verify.py: what the service answers, and whether the training library agrees
* package.py: the files
"""

from .errors import ExportError
from .export import export
from .report import Report

__all__ = ["ExportError", "Report", "export"]
