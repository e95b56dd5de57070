"""`DateParts`, in front of models, and the fields of dates that export makes of its columns."""

import json
import subprocess
import tomllib
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import BINARY, Client, serve
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import predict_once
from predict_once import DateParts, ExportError
from predict_once.calendar import PARTS

FIRST, LAST = -62_135_596_800, 253_402_300_799
"""The seconds since 1970 of the first and the last second of the years 1 to 9999."""
HOSTILE = [
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999999999Z"),
    *("1970-01-01T00:00:00Z", "1900-02-28T23:59:59Z", "1900-03-01T00:00:00Z", "2000-02-29T12:00:00Z", "2000-12-31T23:59:59Z"),
    *("2100-02-28T23:59:59-23:59", "2100-03-01T00:00:00+23:59", "2400-02-29T00:00:00Z", "0004-02-29T23:59:59z"),
    *("0001-12-31T23:59:59-00:00", "9999-01-01t00:00:00+14:00", "2026-03-29T02:30:00+01:00", "2026-11-30T08:15:00.5Z"),
]


def data(rows: int = 400) -> pd.DataFrame:
    """Times, days, times with a zone, Python's dates with gaps, and a number."""
    random = np.random.default_rng(0)
    at = pd.Series(pd.to_datetime(random.integers(1_400_000_000, 1_800_000_000, rows), unit="s"))
    days = pd.Series([None if row % 7 == 0 else day.date() for row, day in enumerate(at)], dtype=object)
    zoned = at.dt.tz_localize("UTC").dt.tz_convert("Asia/Kolkata")
    return pd.DataFrame({"at": at, "day": at.dt.normalize(), "zoned": zoned, "maybe": days, "price": random.normal(size=rows)})


def wanted(X: pd.DataFrame) -> "pd.Series[float]":
    return X["at"].dt.hour + 3.0 * X["day"].dt.month + X["price"]


def checked(package: Path) -> str:
    """`predict-once check` replays the library's answers in the service."""
    ended = subprocess.run([BINARY, "check", str(package)], capture_output=True, text=True, env={})
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def fields(package: Path) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in tomllib.loads((package / "model.toml").read_text())["fields"]}


def instants(count: int) -> list[str]:
    """The hostile times, and random ones in all notations: near 1970, at the ends of days, and in all years."""
    random = np.random.default_rng(1)
    seconds = random.integers(FIRST, LAST, count)
    seconds[::4] = random.integers(-5_000_000_000, 5_000_000_000, len(seconds[::4]))
    seconds[1::4] = seconds[1::4] // 86_400 * 86_400 - random.integers(0, 2, len(seconds[1::4]))
    texts = list(HOSTILE)
    for second in np.clip(seconds, FIRST, LAST).tolist()[: count - len(HOSTILE)]:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
        offset = timezone(timedelta(minutes=int(random.integers(-1_439, 1_440))))
        if 2 <= moment.year <= 9998:
            moment = moment.astimezone(offset)
        text = moment.isoformat(timespec="seconds")
        if random.random() < 0.3:
            text = f"{text[:19]}.{random.integers(1, 10**9)}{text[19:]}"
        texts.append(text.replace("+00:00", "Z") if random.random() < 0.5 else text.replace("T", "t"))
    return texts


def utc_seconds(text: str) -> int:
    """The seconds of a time, by Python's own parser."""
    whole = text[:19] + text[19:].lstrip(".0123456789")
    return int((datetime.fromisoformat(whole.upper()) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1))


def asked_together(client: Client, endpoint: str, rows: list[dict[str, Any]]) -> list[Any]:
    body = json.dumps(rows).encode()
    client.connection.request("POST", f"/{endpoint}", body, {"content-type": "application/json"})
    response = client.connection.getresponse()
    answers: list[Any] = json.loads(response.read())
    assert response.status == 200, answers
    return answers


def test_the_service_makes_the_parts_of_ten_thousand_hostile_instants_that_pandas_makes(tmp_path: Path) -> None:
    texts = instants(10_000)
    X = data()[["at"]]
    model = make_pipeline(DateParts(PARTS), LinearRegression())
    model.fit(X, np.zeros((len(X), len(PARTS))))
    model[-1].coef_, model[-1].intercept_ = np.eye(len(PARTS)), np.zeros(len(PARTS))  # it answers what it reads
    predict_once.export(model, X, tmp_path / "package", target="parts", labels=list(PARTS))
    series = pd.Series(np.array([utc_seconds(text) for text in texts]).astype("datetime64[s]"))
    expected = pd.DataFrame(
        {
            "days": series.to_numpy().astype("datetime64[D]").astype(int),
            **{part: getattr(series.dt, part) for part in ("year", "quarter", "month", "day")},
            "dayofyear": series.dt.day_of_year,
            "weekday": series.dt.day_of_week,
            **{part: getattr(series.dt, part) for part in ("hour", "minute", "second")},
            "seconds": series.to_numpy().astype(int),
        }
    )
    assert list(expected.columns) == list(PARTS)
    with serve(tmp_path / "package") as client:
        answers: list[Any] = []
        for first in range(0, len(texts), 1_000):
            answers += asked_together(client, "parts", [{"at": text} for text in texts[first : first + 1_000]])
        alone = [client.ask("parts", {"at": text}) for text in HOSTILE]
    answered = pd.DataFrame([answer["parts"] for answer in answers])[list(PARTS)]
    pd.testing.assert_frame_equal(answered, expected, check_dtype=False, check_exact=True)
    pd.testing.assert_frame_equal(
        pd.DataFrame(alone)[list(PARTS)], expected.head(len(HOSTILE)), check_dtype=False, check_exact=True
    )


MODELS = {
    "a forest": make_pipeline(
        make_column_transformer(
            (DateParts(["hour", "month", "weekday", "days"]), ["at"]),
            (DateParts(["seconds", "hour"]), ["zoned"]),
            (DateParts(), ["day", "maybe"]),
            remainder="passthrough",
        ),
        RandomForestClassifier(10, random_state=0),
    ),
    "boosting": make_pipeline(
        make_column_transformer((DateParts(["year", "dayofyear", "seconds"]), ["at"]), (DateParts(), ["maybe"])),
        HistGradientBoostingRegressor(max_iter=20),
    ),
    "scaled numbers": make_pipeline(
        make_column_transformer((DateParts(["hour", "year", "seconds"]), ["at"]), (DateParts(["days", "day"]), ["day"])),
        StandardScaler(),
        Ridge(),
    ),
    "months as indicators": make_pipeline(
        make_column_transformer(
            (make_pipeline(DateParts(["month", "weekday"]), OneHotEncoder(drop="first")), ["day"]),
            (make_pipeline(DateParts(["year"]), OneHotEncoder(handle_unknown="ignore")), ["at"]),
            (make_pipeline(DateParts(["quarter"]), OrdinalEncoder()), ["at"]),
        ),
        Ridge(),
    ),
    "imputed days": make_pipeline(
        make_column_transformer(
            (make_pipeline(DateParts(["days", "month"]), SimpleImputer(add_indicator=True)), ["maybe"]),
            ("passthrough", ["price"]),
        ),
        Ridge(),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_behind_date_parts_answer_as_the_library(tmp_path: Path, name: str) -> None:
    X, model = data(), clone(MODELS[name])
    y = wanted(X)
    model.fit(X, y > y.median() if name == "a forest" else y)
    report = predict_once.export(model, X, tmp_path / "package", target="outcome")
    assert report.rows == len(X) and report.other_class == 0
    printed = checked(tmp_path / "package")
    assert "rows that differ     0" in printed and "differ in arrays     0" in printed, printed


def test_a_field_is_a_date_unless_the_data_or_the_parts_have_a_time(tmp_path: Path) -> None:
    X = data()
    columns = make_column_transformer(
        (DateParts(["month"]), ["at", "zoned"]), (DateParts(["month"]), ["maybe"]), (DateParts(["days", "hour"]), ["day"])
    )
    model = make_pipeline(columns, HistGradientBoostingRegressor(max_iter=5)).fit(X, wanted(X))
    predict_once.export(model, X, tmp_path / "package", target="outcome")
    written = fields(tmp_path / "package")
    types = {name: field["type"] for name, field in written.items()}
    assert types == {"at": "datetime", "day": "datetime", "zoned": "datetime", "maybe": "date"}
    assert written["maybe"]["missing"] == "nan" and written["maybe"]["required"] is False
    date.fromisoformat(written["maybe"]["example"])
    assert written["zoned"]["example"].endswith("Z")


def test_bounds_of_dates_are_texts_and_stay_in_the_next_export(tmp_path: Path) -> None:
    X = data()
    columns = make_column_transformer((DateParts(["days"]), ["day"]), (DateParts(["hour"]), ["at"]))
    model = make_pipeline(columns, Ridge()).fit(X, wanted(X))
    bounds = {"day": ("2015-01-01", None), "at": (None, "2030-01-01T00:00:00+01:00")}
    predict_once.export(model, X, tmp_path / "package", target="outcome", bounds=bounds)
    predict_once.export(model, X, tmp_path / "package", target="outcome", overwrite=True)
    written = fields(tmp_path / "package")
    assert written["day"]["minimum"] == "2015-01-01" and "maximum" not in written["day"]
    assert written["at"]["maximum"] == "2029-12-31T23:00:00Z"
    checked(tmp_path / "package")
    with serve(tmp_path / "package") as client:
        problem = client.answer("outcome", {"day": "2014-12-31", "at": "2026-11-30T08:15:00"}, status=422)
        assert {error["pointer"] for error in problem["errors"]} == {"#/day", "#/at"}
    for wrong in [(1, None), ("30.11.2026", None), ("2026-11-30", "2026-11-29"), ("2026-11-30T00:00:00Z", None)]:
        with pytest.raises(ExportError, match="bounds of 'day'"):
            predict_once.export(model, X, tmp_path / "other", target="outcome", bounds={"day": wrong})


def test_dates_in_every_form_have_the_same_parts() -> None:
    moments = [datetime(2026, 11, 30, 23, 59, 59, 999_999), datetime(1969, 12, 31, 23, 59, 59, 1), datetime(2000, 2, 29)]
    expected = DateParts(PARTS).fit_transform(pd.DataFrame({"at": pd.Series(moments).astype("datetime64[ns]")}))
    aware = [moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=-9))) for moment in moments]
    for form in (
        pd.Series(moments).astype("datetime64[us]"),
        pd.Series(moments).dt.tz_localize("UTC").dt.tz_convert("America/New_York"),
        pd.Series(moments, dtype=object),
        pd.Series(aware, dtype=object),
        np.array(moments, dtype="datetime64[us]"),
        np.array(moments, dtype="datetime64[ms]").reshape(-1, 1),
        np.array(moments, dtype=object),
    ):
        assert np.array_equal(DateParts(PARTS).fit_transform(form), expected), form
    days = DateParts(["days", "hour"]).fit_transform(pd.DataFrame({"day": [date(1, 1, 1), None, date(9999, 12, 31)]}))
    assert np.array_equal(days, [[-719_162, 0], [np.nan, np.nan], [2_932_896, 0]], equal_nan=True)


def test_date_parts_is_a_transformer_of_scikit_learn() -> None:
    X = pd.DataFrame({"a": pd.to_datetime(["2026-11-30", None]), "b": pd.to_datetime(["2000-02-29 12:00", "1969-12-31 23:00"])})
    step = DateParts(parts=["month", "hour"])
    assert clone(step).get_params() == {"parts": ["month", "hour"]}
    assert list(step.fit(X).get_feature_names_out()) == ["a_month", "a_hour", "b_month", "b_hour"]
    framed = clone(step).set_output(transform="pandas").fit_transform(X)
    assert list(framed.columns) == ["a_month", "a_hour", "b_month", "b_hour"] and list(framed.index) == [0, 1]
    assert np.array_equal(framed.to_numpy(), [[11, 0, 2, 12], [np.nan, np.nan, 12, 23]], equal_nan=True)
    columns = make_column_transformer((DateParts(), ["a", "b"])).fit(X)
    assert list(columns.get_feature_names_out())[:2] == ["dateparts__a_days", "dateparts__a_month"]
    for parts, message in [
        ("month", "must be a list"),
        ([], "must be a list"),
        (["months"], "'months'"),
        (["day", "day"], "twice"),
    ]:
        with pytest.raises(ValueError, match=message):
            DateParts(parts).fit(X)
    with pytest.raises(TypeError, match=r"column 'c' holds '2026-11-30', which is no date.*to_datetime"):
        DateParts().fit(pd.DataFrame({"c": ["2026-11-30"]}))
    with pytest.raises(ValueError, match="fitted on 2"):
        step.transform(X[["a"]])
    with pytest.raises(ValueError, match="fitted on \\['a', 'b'\\]"):
        step.transform(X[["b", "a"]])


def test_an_encoder_of_years_that_refuses_others_is_refused_with_the_remedy(tmp_path: Path) -> None:
    X = data()[["at"]]
    years = make_pipeline(DateParts(["year"]), OneHotEncoder(), Ridge()).fit(X, wanted(data()))
    with pytest.raises(ExportError, match=r"fails on any other number\. Fit it with handle_unknown='ignore'"):
        predict_once.export(years, X, tmp_path / "package", target="outcome")
