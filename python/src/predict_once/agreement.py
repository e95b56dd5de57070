"""The package of a fitted estimator, compared with the training library's predictions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .accepted import accepts
from .calendar import number_of, text_of
from .columns.texts import LONGEST_GOLDEN, columns_of_texts, file_names, files_of, texts_of
from .describe import GOLDEN_ROWS, examples_of, fields_of, golden_frame, observed, requests_of
from .errors import Disagreement, ExportError
from .estimator import Converted, is_polars, library_answers
from .hostile import hostile_frame
from .package import Package
from .rules import check_bounds, known_keys
from .service import Runner, answers
from .types import Field, Golden, Row, plain
from .verify import Agreement, compare, is_finite

COMPARED_ROWS = 10_000
COMPARED_TEXTS = 2_000
SHOWN_FIELDS = 8
Bounds = Mapping[str, tuple[Any, Any]]
"""Numbers, or texts for dates; None for an open end."""
Answers = Mapping[str, Sequence[Any]]


class Limits:
    """How closely the answers must agree."""

    def __init__(self, tolerance: float, max_other_class: float) -> None:
        self.tolerance, self.max_other_class = tolerance, max_other_class

    def enforce(self, agreement: Agreement, what: str, detail: str = "") -> None:
        """Stops if the answers differ by more than the limits allow."""
        if agreement.share > self.max_other_class:
            raise Disagreement(
                f"the package disagrees with {what}: {len(agreement.other)} of {agreement.rows:,} rows have another class and "
                f"{len(agreement.beyond)} a number beyond tolerance={self.tolerance:g} ({agreement.share:.2%} of the rows; "
                f"max_other_class={self.max_other_class:g} allows {self.max_other_class:.2%}). The largest difference is "
                f"{agreement.largest:.1e}.{detail} If that is close enough, pass a higher limit."
            )


def as_fitted(X: Any, frame: pd.DataFrame) -> Any:
    """The rows in the form that the model was fitted on: a data frame, a matrix or a list of texts."""
    if texts_of(X) is not None:
        return frame.iloc[:, 0].tolist()
    if is_polars(X):
        values = {name: [None if pd.isna(value) else plain(value) for value in frame[name].astype(object)] for name in frame}
        return type(X)(values, schema=X.schema, strict=False)
    if isinstance(X, pd.DataFrame):
        return frame if frame.columns.equals(X.columns) else frame.set_axis(X.columns, axis=1)
    if not isinstance(X, np.ndarray):
        return frame
    missing = X.dtype.kind in "iu" and frame.isna().any(axis=None)
    return frame.to_numpy(dtype=np.float64 if missing else X.dtype)


class Estimator:
    """A fitted estimator, with its graph and its fields."""

    def __init__(self, model: Any, X: Any, frame: pd.DataFrame, converted: Converted, limits: Limits) -> None:
        self.model, self.X, self.frame, self.converted, self.limits = model, X, frame, converted, limits
        self.fields: list[Field] = []

    def package(
        self, name: str, descriptions: Mapping[str, str], units: Mapping[str, str], bounds: Bounds
    ) -> tuple[Package, Agreement]:
        """The package, and how closely it agrees with the library on the rows of X."""
        converted = self.converted
        variables, layout = converted.variables, converted.layout
        types = {variables[position].name: variables[position].type for position in layout.codings}
        known_keys(descriptions, (*types, *(entry["name"] for entry in converted.predictions)), "descriptions")
        known_keys(units, tuple(types), "units")
        known_keys(bounds, tuple(types), "bounds")
        check_bounds(bounds, types, layout.wide)
        bounds = in_utc(bounds, types)
        self.fields = fields_of(variables, layout, file_names(variables), descriptions, units, bounds)
        texts = columns_of_texts(variables)
        self.runner = Runner(converted.model, self.fields, texts)

        step = max(1, -(-len(self.frame) // (COMPARED_TEXTS if texts else COMPARED_ROWS)))
        agreement, *_ = self.enforced(self.frame.iloc[::step].reset_index(drop=True), "the training library on the rows of X")
        drawn = golden_frame(self.frame, bounds)
        golden = self.golden(drawn, "the training library on rows of X with each column shuffled", GOLDEN_ROWS // 2)
        hard = hostile_frame(drawn, converted, self.fields)
        golden += self.golden(hard, "the training library on rows of hard values", GOLDEN_ROWS - len(golden))
        comments = {variables[position].name: observed(variables[position]) for position in layout.codings}
        package = Package(
            converted.model,
            name,
            self.fields,
            converted.predictions,
            examples_of(self.fields),
            golden,
            comments=comments,
            files=files_of(variables),
        )
        return package, agreement

    def golden(self, rows: pd.DataFrame, what: str, count: int) -> list[Golden]:
        """Compares these rows, and returns the first ones with the library's answers: all that a response can hold."""
        _, requests, wanted = self.enforced(rows, what)
        result: list[Golden] = []
        for row, request in enumerate(requests):
            answer = {key: values[row] for key, values in wanted.items()}
            short = all(len(value) <= LONGEST_GOLDEN for value in request.values() if isinstance(value, str))
            if short and len(result) < count and all(map(is_finite, (request, *answer.values()))):
                result.append({"input": request, "answers": answer})
        return result

    def enforced(self, rows: pd.DataFrame, what: str) -> tuple[Agreement, list[Row], Answers]:
        """Compares these rows; stops if they disagree."""
        data = as_fitted(self.X, rows)
        try:
            wanted = library_answers(data, self.converted)
        except Exception as error:  # a library's own, such as XGBoostError
            raise ExportError(self.unpredicted(rows, what, error)) from error
        requests: list[Row] = list(requests_of(rows, self.converted.variables, self.converted.layout))
        actual = self.answers(requests)
        agreement = compare(wanted, actual, self.limits.tolerance)
        if agreement.share > self.limits.max_other_class:
            self.limits.enforce(agreement, what, self.culprit(rows, requests, agreement, wanted, actual))
        return agreement, requests, wanted

    def answers(self, requests: Sequence[Row]) -> dict[str, list[Any]]:
        """The package's answers."""
        output = self.runner.run(requests)
        return {entry["name"]: answers(entry, output) for entry in self.converted.predictions}

    def unpredicted(self, rows: pd.DataFrame, what: str, error: Exception) -> str:
        """Names the first row that the library refuses, although the fields allow it."""
        for row in range(len(rows)):
            one = rows.iloc[[row]].reset_index(drop=True)
            try:
                self.model.predict(as_fitted(self.X, one))
            except Exception as of_row:  # a library's own, such as XGBoostError
                [request] = requests_of(one, self.converted.variables, self.converted.layout)
                return f"the model fails on a row that the API would accept ({what}): {shown(request)}: {of_row}"
        return f"the model's answers cannot be read ({what}): {type(error).__name__}: {error}"

    def culprit(self, rows: pd.DataFrame, requests: Sequence[Row], agreement: Agreement, wanted: Answers, actual: Answers) -> str:
        """Names a row that differs, both answers, and the column and the step that are to blame."""
        row = min(agreement.failed)
        name = next(
            key for key in wanted if compare({key: [wanted[key][row]]}, {key: [actual[key][row]]}, self.limits.tolerance).failed
        )
        where = self.column_of(rows, row)
        reasons = " ".join(self.converted.context.cautions)
        return (
            f" In row {row}, {shown(requests[row])}, {name!r} is {wanted[name][row]!r} from the library and "
            f"{actual[name][row]!r} from the package.{where}" + (f" {reasons}" if reasons else "")
        )

    def column_of(self, rows: pd.DataFrame, row: int) -> str:
        """The column without whose value the row would agree."""
        converted = self.converted
        for position in converted.layout.codings:
            for other in range(min(len(self.frame), 20)):
                changed = rows.iloc[[row]].reset_index(drop=True)
                name = changed.columns[position]
                changed[name] = self.frame.iloc[[other], position].reset_index(drop=True)
                data = as_fitted(self.X, changed)
                if not accepts(self.model, data):
                    continue
                answered = self.answers(requests_of(changed, converted.variables, converted.layout))
                if not compare(library_answers(data, converted), answered, self.limits.tolerance).failed:
                    steps = " and ".join(converted.context.readers.get(position, {}))
                    return f" With another value of column {name!r}, which {steps} reads, they agree."
        return ""


def in_utc(bounds: Bounds, types: Mapping[str, str]) -> Bounds:
    """The bounds with those of times in UTC, so that they compare as texts."""

    def written(end: Any, has_time: bool) -> Any:
        number = number_of(end, has_time)
        return end if number is None else text_of(number, has_time)

    dates = {name: types[name] == "datetime" for name in bounds if types[name] in ("date", "datetime")}
    return {
        **bounds,
        **{name: (written(bounds[name][0], timed), written(bounds[name][1], timed)) for name, timed in dates.items()},
    }


def shown(request: Row) -> str:
    """The first fields of a request, for messages."""
    fields = [f"{name}={value!r}" for name, value in list(request.items())[:SHOWN_FIELDS]]
    return "{" + ", ".join(fields) + (", …" if len(request) > SHOWN_FIELDS else "") + "}"
