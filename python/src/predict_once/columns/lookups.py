"""category_encoders: each encoder is a table of numbers for each category, which it is asked for."""

import warnings
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np
import pandas as pd

from ..context import Context
from ..errors import ExportError
from ..types import plain
from .symbols import NONE, Category, Column, Number, Table
from .transformers import described, named, series_of, whole_range


def transform(step: Any, columns: list[Column], context: Context, path: str) -> list[Column]:
    """The columns of an encoder: those that it encodes, and the others as they are."""
    who = named(step, path)
    names = list(step.feature_names_in_)
    encoded = [names.index(name) for name in step.cols]
    lookup = Lookup(step, names, {index: known_values(step, names[index], who) for index in encoded})
    tables: dict[Any, Column] = {}
    for index in encoded:
        category = closed(columns[index], lookup, index, context, who)
        for name, made in lookup.tables(category, index).items():
            if name in tables:
                raise ExportError(
                    f"{who} makes the column {name!r} of several columns at once, which cannot be exported. Use another encoder."
                )
            tables[name] = made
    usual = lookup.made(encoded[0], lookup.known[encoded[0]][:1])
    passed = {name: column for index, (name, column) in enumerate(zip(names, columns, strict=True)) if index not in encoded}
    for place, name in enumerate(usual.columns):
        if name not in tables and name not in passed:  # a constant, such as the intercept
            tables[name] = category.map(constant(usual.iloc[0, place]))
    return [tables[name] if name in tables else passed[name] for name in usual.columns]


def known_values(step: Any, name: Any, who: str) -> list[Any]:
    """The categories of a column that the encoder has learned."""
    inner = getattr(step, "ordinal_encoder", None) or getattr(step, "base_n_encoder", step)
    inner = getattr(inner, "ordinal_encoder", inner)
    mapping = getattr(inner, "category_mapping", None) or getattr(inner, "mapping", None)
    if isinstance(mapping, list):
        [table] = [entry["mapping"] for entry in mapping if entry["col"] == name]
    elif isinstance(mapping, dict):
        table = mapping[name]
    else:
        raise ExportError(f"{who} has no table of categories, so it cannot be exported. Use another encoder.")
    return [plain(value) for value in getattr(table, "index", table) if not pd.isna(value)]


class Lookup:
    """Asks an encoder what it makes of the states of one column; the others have their first category."""

    def __init__(self, step: Any, names: list[Any], known: dict[int, list[Any]]) -> None:
        self.step, self.names, self.known = copy(step), names, known
        self.step.return_df = True
        vars(self.step).pop("_sklearn_output_config", None)

    def made(self, index: int, states: Sequence[Any]) -> pd.DataFrame:
        """The encoder's output for each state of a column."""
        usual = {position: values[0] if values else "" for position, values in self.known.items()}
        columns = {
            name: series_of(list(states) if position == index else [usual.get(position, 0.0)] * len(states))
            for position, name in enumerate(self.names)
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result: pd.DataFrame = self.step.transform(pd.DataFrame(columns))
        return result

    def accepts(self, index: int, state: Any) -> bool:
        try:
            self.made(index, [state])
        except Exception:  # as the encoder likes
            return False
        return True

    def tables(self, category: Category, index: int) -> dict[Any, Category]:
        """The output's columns that depend on this column."""
        states = [*category.table.entries, category.missing, category.unknown]
        asked = [self.known[index][0] if state is NONE else state for state in states]
        usual = self.made(index, self.known[index][:1])
        made = self.made(index, asked)
        result = {}
        own = self.names[index]
        for place, name in enumerate(made.columns):
            numbers = made.iloc[:, place].to_numpy(dtype=object)
            if name in self.names and name != own:
                continue
            changes = any(not same(number, usual.iloc[0, place]) for number in numbers)
            if changes or name == own:
                *entries, missing, unknown = [
                    NONE if state is NONE else float(number) for state, number in zip(states, numbers, strict=True)
                ]
                result[name] = Category(category.variable, category.values, Table.of(entries), missing, unknown)
        return result


def constant(number: Any) -> Callable[[Any], float]:
    return lambda state: float(number)


def same(one: Any, other: Any) -> bool:
    return bool(one == other) or (pd.isna(one) and pd.isna(other))


def closed(column: Column, lookup: Lookup, index: int, context: Context, who: str) -> Category:
    """The column as a category of the states that the encoder accepts."""
    known = lookup.known[index]
    if isinstance(column, Category):
        if column.is_plain and context.variables[column.variable].type == "string":
            context.variables[column.variable].claim(known)
        missing = column.missing if column.missing is NONE or lookup.accepts(index, column.missing) else NONE
        unknown = column.unknown if column.unknown is NONE or lookup.accepts(index, column.unknown) else NONE
        return Category(column.variable, column.values, column.table, missing, unknown)
    if not isinstance(column, Number) or not isinstance(column.source, int) or any(s.kind != "fill" for s in column.steps):
        raise ExportError(
            f"{who} encodes {described([column], context.variables)} after a calculation. Encode the column itself."
        )
    variable = context.variables[column.source]
    missing = column.steps[0].value if column.steps else np.nan
    missing = missing if lookup.accepts(index, missing) else NONE
    if variable.type == "boolean":
        return Category.plain(column.source, (False, True), missing)
    other = max(known) + 1
    if lookup.accepts(index, other):
        return Category.plain(column.source, tuple(known), missing, other)
    present = whole_range(sorted(known), variable, who)
    variable.bounds = (present[0], present[-1])
    return Category.plain(column.source, tuple(present), missing)
