"""The proleptic Gregorian calendar in floating-point arithmetic that is exact for the years 1 to 9999.

`DateParts` applies these formulas to NumPy's arrays and the exporter to tensors of a graph, so that both have the same parts.
They are those of https://howardhinnant.github.io/date_algorithms.html, without comparisons: years begin in March, so that the
leap day is their last.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np

SECONDS_OF_DAY = 86_400
FIRST_DAY, LAST_DAY = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31, in days since 1970-01-01."""
EPOCH = datetime(1970, 1, 1)


def quotient(x: Any, divisor: int) -> Any:
    """The whole part of a whole number's quotient, rounded down.

    The half keeps the product away from whole numbers: the graph multiplies by the reciprocal, which is a little off.
    """
    product = (x + 0.5) * (1.0 / divisor)
    return product.floor() if hasattr(product, "floor") else np.floor(product)


def remainder(x: Any, divisor: int) -> Any:
    return x - quotient(x, divisor) * divisor


def year_and_day(days: Any) -> tuple[Any, Any]:
    """The year that begins in March, and the day in it, from 0."""
    since = days + 719_468  # 0000-03-01
    era = quotient(since, 146_097)
    day = since - era * 146_097
    year = quotient(day - quotient(day, 1_460) + quotient(day, 36_524) - quotient(day, 146_096), 365)
    return year + era * 400, day - (year * 365 + quotient(year, 4) - quotient(year, 100))


def month_from_march(days: Any) -> Any:
    """From 0, for March, to 11."""
    return quotient(year_and_day(days)[1] * 5 + 2, 153)


def year(days: Any) -> Any:
    return year_and_day(days)[0] + quotient(month_from_march(days) + 2, 12)


def month(days: Any) -> Any:
    return remainder(month_from_march(days) + 2, 12) + 1


def quarter(days: Any) -> Any:
    return quotient(month(days) + 2, 3)


def day_of_month(days: Any) -> Any:
    return year_and_day(days)[1] - quotient(month_from_march(days) * 153 + 2, 5) + 1


def day_of_year(days: Any) -> Any:
    before = year(days) - 1
    first = before * 365 + quotient(before, 4) - quotient(before, 100) + quotient(before, 400) + FIRST_DAY
    return days - first + 1


def weekday(days: Any) -> Any:
    """0 for Monday."""
    return remainder(days + 3, 7)


OF_DAYS: dict[str, Callable[[Any], Any]] = {
    "days": lambda days: days,
    "year": year,
    "quarter": quarter,
    "month": month,
    "day": day_of_month,
    "dayofyear": day_of_year,
    "weekday": weekday,
}
"""The parts of a day, from days since 1970-01-01."""
OF_SECONDS: dict[str, Callable[[Any], Any]] = {
    "hour": lambda seconds: quotient(remainder(seconds, SECONDS_OF_DAY), 3_600),
    "minute": lambda seconds: quotient(remainder(seconds, 3_600), 60),
    "second": lambda seconds: remainder(seconds, 60),
    "seconds": lambda seconds: seconds,
}
"""The parts of a time, from seconds since 1970-01-01T00:00:00Z."""
PARTS = (*OF_DAYS, *OF_SECONDS)
RANGES = {
    "quarter": range(1, 5),
    "month": range(1, 13),
    "day": range(1, 32),
    "dayofyear": range(1, 367),
    "weekday": range(7),
    "hour": range(24),
    "minute": range(60),
    "second": range(60),
}
"""The numbers that a part can be."""


def of_day(part: Callable[[Any], Any], seconds: Any) -> Any:
    return part(quotient(seconds, SECONDS_OF_DAY))


def part_of_seconds(part: str) -> Callable[[Any], Any]:
    """The function that makes a part of seconds since 1970-01-01T00:00:00Z."""
    return OF_SECONDS[part] if part in OF_SECONDS else partial(of_day, OF_DAYS[part])


DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
DATETIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)


def number_of(text: Any, has_time: bool) -> int | None:
    """Days or whole seconds since the start of 1970, of a date or a time in RFC 3339 as the service reads it; None for others."""
    if not isinstance(text, str):
        return None
    return seconds_of(text) if has_time else days_of(text)


def days_of(text: str) -> int | None:
    found = DATE.fullmatch(text)
    try:
        return date(*map(int, found.groups())).toordinal() + FIRST_DAY - 1 if found else None
    except ValueError:
        return None


def seconds_of(text: str) -> int | None:
    found = DATETIME.fullmatch(text)
    days = days_of(found[1]) if found else None
    if found is None or days is None:
        return None
    hour, minute, second = (int(found[index]) for index in (2, 3, 4))
    hours, minutes = (int(found[index] or 0) for index in (6, 7))
    if hour > 23 or minute > 59 or second > 60 or hours > 23 or minutes > 59:
        return None
    offset = (hours * 3_600 + minutes * 60) * (-1 if found[5] == "-" else 1)
    result = days * SECONDS_OF_DAY + hour * 3_600 + minute * 60 + min(second, 59) - offset
    if not FIRST_DAY <= result // SECONDS_OF_DAY <= LAST_DAY:
        return None
    return result if second < 60 or ends_month(result) else None


def ends_month(seconds: int) -> bool:
    """Whether it is the last second of a month in UTC, which a leap second may follow."""
    following = seconds + 1
    return following % SECONDS_OF_DAY == 0 and (following // SECONDS_OF_DAY > LAST_DAY or moment_of(following).day == 1)


def moment_of(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def text_of(number: float, has_time: bool) -> str:
    """The date or the time in UTC, in RFC 3339."""
    moment = moment_of(int(number) * (1 if has_time else SECONDS_OF_DAY))
    return moment.isoformat(timespec="seconds") + "Z" if has_time else moment.date().isoformat()


def seconds_of_object(value: date) -> int:
    """Whole seconds since 1970, of Python's dates and times. Without a time zone, a time is taken for UTC."""
    if not isinstance(value, datetime):
        return (value.toordinal() + FIRST_DAY - 1) * SECONDS_OF_DAY
    if value.tzinfo is not None:
        since: timedelta = value - EPOCH.replace(tzinfo=UTC)
    else:
        since = value - EPOCH
    return since // timedelta(seconds=1)
