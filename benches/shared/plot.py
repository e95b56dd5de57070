"""A plot with two logarithmic axes."""

import math

from svg import Svg

LEFT, TOP, WIDTH, HEIGHT = 100, 52, 560, 380


class Plot:
    """An empty plot with its legend on the right. `names` are the labelled values of each axis, with their texts."""

    def __init__(self, title, x, y, names):
        self.x, self.y = x, y
        self.svg = Svg(950, 504, title)
        self.svg.heading((20, 28), title)
        for value, text in names[0]:
            self.svg.grid(self.at(value, y[0]), self.at(value, y[1]))
            self.svg.soft((self.at(value, y[0])[0], TOP + HEIGHT + 18), text, "middle")
        for value, text in names[1]:
            self.svg.grid(self.at(x[0], value), self.at(x[1], value))
            self.svg.soft((LEFT - 8, self.at(x[0], value)[1] + 4), text, "end")
        self.next = TOP + 10

    def at(self, x, y):
        def share(value, ends):
            return math.log(value / ends[0]) / math.log(ends[1] / ends[0])

        return LEFT + WIDTH * share(x, self.x), TOP + HEIGHT * (1 - share(min(max(y, self.y[0]), self.y[1]), self.y))

    def axes(self, x, y):
        self.svg.soft((LEFT + WIDTH / 2, TOP + HEIGHT + 42), x, "middle")
        self.svg.upright((18, TOP + HEIGHT / 2), y)

    def curve(self, name, colour, points, stroke="solid"):
        inside = [point for point in points if self.y[0] <= point[1] <= self.y[1]]
        self.svg.line([self.at(*point) for point in inside], colour, stroke)
        self.key(name, colour, stroke)

    def key(self, name, colour, stroke="solid"):
        left = LEFT + WIDTH + 24
        self.svg.line([(left, self.next - 4), (left + 32, self.next - 4)], colour, stroke)
        self.svg.text((left + 40, self.next), name)
        self.next += 22

    def note(self, text):
        self.svg.text((LEFT + WIDTH + 24, self.next), text)
        self.next += 22
