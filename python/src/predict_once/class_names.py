"""How the exporter recognises a model: by the names of its classes, so that no library has to be imported for it."""

from typing import Any


def class_names(model: Any) -> list[str]:
    """The names of the model's class and its base classes, with the library: `sklearn.StandardScaler`."""
    inner = getattr(model, "inner", model)  # of a native booster
    return [f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(inner).__mro__]
