"""SVG drawings for light and dark pages, in the style of crates/cache-tools/src/svg.rs."""

from html import escape

# Line colours for a light and for a dark page.
COLOURS = [
    ("#0969da", "#58a6ff"),
    ("#d1570b", "#f0883e"),
    ("#1a7f37", "#3fb950"),
    ("#8250df", "#bc8cff"),
    ("#6e7781", "#8b949e"),
    ("#bf3989", "#f778ba"),
]
DASHES = {"solid": "", "dashed": ' stroke-dasharray="6 4"', "dotted": ' stroke-dasharray="1.5 3.5" stroke-linecap="round"'}


class Svg:
    """An empty drawing. Screen readers read the title."""

    def __init__(self, width, height, title):
        light, dark = ("".join(f".l{n}{{stroke:{c[theme]}}}" for n, c in enumerate(COLOURS)) for theme in (0, 1))
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'role="img" '
            'font-family="system-ui,-apple-system,\'Segoe UI\',Helvetica,Arial,sans-serif" font-size="12">',
            f"<title>{escape(title)}</title>",
            "<style>.page{fill:#fff}.text{fill:#1f2328}.soft{fill:#59636e}.grid{stroke:#d1d9e0}.ltext{stroke:#1f2328}"
            + light
            + "@media(prefers-color-scheme:dark){.page{fill:#0d1117}.text{fill:#f0f6fc}.soft{fill:#9198a1}.grid{stroke:#3d444d}"
            ".ltext{stroke:#f0f6fc}" + dark + "}</style>",
            f'<rect class="page" width="{width}" height="{height}" rx="6"/>',
        ]

    def text(self, at, text, anchor="start", kind="text", more=""):
        x, y = at
        self.parts.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(text)}</text>')

    def heading(self, at, text):
        self.text(at, text, more=' font-weight="600" font-size="14"')

    def soft(self, at, text, anchor="start"):
        self.text(at, text, anchor, "soft")

    def upright(self, at, text):
        self.text(at, text, "middle", "soft", f' transform="rotate(-90 {at[0]:.1f} {at[1]:.1f})"')

    def grid(self, start, end):
        (x1, y1), (x2, y2) = start, end
        self.parts.append(f'<line class="grid" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def line(self, points, colour, stroke="solid", width=2):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline class="l{colour}" points="{points}" fill="none" stroke-width="{width}"{DASHES[stroke]}/>')

    def finish(self):
        return "\n".join([*self.parts, "</svg>\n"])
