"""Turns a fitted model into a model package, which predict-once serves as an API.

    import predict_once
    print(predict_once.export(model, X, "models/penguins", target="species"))
    print(predict_once.serve("models/penguins"))

The path of a model, in reading order:

* export.py: `export`, the entry point; serve.py: `serve`, which also starts the service (binary.py)
* estimator.py: from a fitted estimator to a graph, fields and predictions; native.py, saved.py: boosters and saved models
* offers.py: what a model can answer, and how the library answers it; accepted.py: what the library accepts
* columns/: preprocessing as functions of the fields; dates.py, calendar.py: `DateParts`, a transformer of ours
* lowering/: each family of estimators as ONNX operators
* images.py: image classifiers, from a directory
* trees.py: trees of all libraries as one operator
* describe.py: the fields, golden rows and examples, from the data frame
* hostile.py: rows of hard values; agreement.py: the package, compared with the library on these rows and on those of X
* rules.py, names.py: the service's rules for names, values and bounds
* service.py, verify.py: the service's answers, recomputed and compared with the training library's
* owner.py: what the owner of a replaced package wrote; package.py: the files
"""

from .dates import DateParts
from .errors import ExportError
from .export import export
from .report import Report
from .serve import Server, serve

__all__ = ["DateParts", "ExportError", "Report", "Server", "export", "serve"]
