"""Rows of the table of targets: what was measured, against its target."""

import statistics
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Unit:
    text: str
    digits: int

    def of(self, value):
        return f"{value:,.{self.digits}f}{self.text}"


TIMES, MICROSECONDS, MIB, MB, MINUTES = Unit("×", 2), Unit(" µs", 0), Unit(" MiB", 1), Unit(" MB", 1), Unit(" minutes", 1)


@dataclass(frozen=True)
class Target:
    sign: str
    limit: float
    unit: Unit

    def __str__(self):
        return f"{self.sign} {self.limit:g}{self.unit.text}"

    def holds(self, value):
        return value <= self.limit if self.sign == "≤" else value >= self.limit


def at_most(limit, unit=TIMES):
    return Target("≤", limit, unit)


def at_least(limit, unit=TIMES):
    return Target("≥", limit, unit)


@dataclass(frozen=True)
class Row:
    what: str
    against: str
    target: Target
    # One of each round, or the only one; none if it was not measured.
    figures: list = field(default_factory=list)
    # The same of a server that does nothing.
    floor: list = field(default_factory=list)
    # Why it is missed, and what was tried: shown if it is.
    why: str = ""

    @property
    def median(self):
        return statistics.median(self.figures)

    @property
    def missed(self):
        return bool(self.figures) and not self.target.holds(self.median)

    @property
    def result(self):
        if not self.figures:
            return "not measured"
        of = self.target.unit.of
        spread = f" ({of(min(self.figures))} – {of(max(self.figures))})" if len(self.figures) > 1 else ""
        return of(self.median) + spread

    def cells(self):
        verdict = "**missed**" if self.missed else "met" if self.figures else ""
        floor = self.target.unit.of(statistics.median(self.floor)) if self.floor else ""
        return [self.what, self.against, str(self.target), self.result, verdict, floor]


def table(lines):
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
