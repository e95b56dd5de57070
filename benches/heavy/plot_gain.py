"""Bars on a logarithmic axis."""

import math

from svg import Svg

LEFT, TOP, WIDTH, ROW = 230, 60, 560, 20


def gain(title, groups):
    """`groups` are the ratios by name, by the group that they are drawn in."""
    most = max(value for values in groups.values() for value in values.values())
    end = 10 ** math.ceil(math.log10(max(most, 10)))
    names = list(dict.fromkeys(name for values in groups.values() for name in values))
    height = TOP + sum(len(values) * ROW + 24 for values in groups.values()) + 60
    svg = Svg(LEFT + WIDTH + 80, height, title)
    svg.heading((20, 28), title)

    def x(value):
        return LEFT + WIDTH * math.log10(max(value, 1)) / math.log10(end)

    bottom = height - 60
    for power in range(round(math.log10(end)) + 1):
        svg.grid((x(10**power), TOP - 10), (x(10**power), bottom))
        svg.soft((x(10**power), bottom + 18), f"{10**power:,}×", "middle")
    y = TOP
    for group, values in groups.items():
        svg.text((LEFT - 14, y + len(values) * ROW / 2 + 2), group, "end")
        for name, value in values.items():
            svg.line([(LEFT, y + ROW / 2), (x(value), y + ROW / 2)], names.index(name), width=ROW - 6)
            svg.soft((x(value) + 8, y + ROW / 2 + 4), f"{value:,.0f}×")
            y += ROW
        y += 24
    for position, name in enumerate(names):
        left = LEFT + position * 190
        svg.line([(left, height - 18), (left + 24, height - 18)], position, width=ROW - 6)
        svg.text((left + 32, height - 14), name)
    return svg.finish()
