//! SVG drawings for light and dark pages.

use std::fmt::{Display, Write};

/// The colours of lines and bars, each for light and dark pages.
const COLOURS: [[&str; 2]; 6] = [
    ["#0969da", "#58a6ff"],
    ["#d1570b", "#f0883e"],
    ["#1a7f37", "#3fb950"],
    ["#8250df", "#bc8cff"],
    ["#6e7781", "#8b949e"],
    ["#bf3989", "#f778ba"],
];

/// An index into `COLOURS`, or the colour of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Of(usize),
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    Solid,
    Dashed,
    Dotted,
}

/// The part of a text that is placed at its point.
#[derive(Clone, Copy, Debug)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

pub struct Svg(String);

impl Svg {
    /// An empty drawing. Screen readers read the title.
    pub fn new(width: u32, height: u32, title: &str) -> Self {
        let colours = |theme: usize| {
            COLOURS.iter().enumerate().fold(String::new(), |mut rules, (number, colours)| {
                let colour = colours[theme];
                let _ = write!(rules, ".l{number}{{stroke:{colour}}}.f{number}{{fill:{colour}}}");
                rules
            })
        };
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"img\" font-family=\"system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif\" font-size=\"12\">\n\
             <title>{title}</title>\n<style>\
             .page{{fill:#fff}}.text{{fill:#1f2328}}.soft{{fill:#59636e}}.grid{{stroke:#d1d9e0}}.ltext{{stroke:#1f2328}}.ftext{{fill:#1f2328}}{}\
             @media(prefers-color-scheme:dark){{.page{{fill:#0d1117}}.text{{fill:#f0f6fc}}.soft{{fill:#9198a1}}.grid{{stroke:#3d444d}}\
             .ltext{{stroke:#f0f6fc}}.ftext{{fill:#f0f6fc}}{}}}\
             </style>\n<rect class=\"page\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\n",
            colours(0),
            colours(1)
        ))
    }

    fn text_of(&mut self, class: &str, more: &str, at: (f64, f64), anchor: Anchor, text: impl Display) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = text.to_string().replace('&', "&amp;").replace('<', "&lt;");
        let (x, y) = at;
        let _ = writeln!(
            self.0,
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"{more}>{text}</text>"
        );
    }

    pub fn heading(&mut self, at: (f64, f64), text: impl Display) {
        self.text_of("text", " font-weight=\"600\" font-size=\"14\"", at, Anchor::Start, text);
    }

    pub fn text(&mut self, at: (f64, f64), anchor: Anchor, text: impl Display) {
        self.text_of("text", "", at, anchor, text);
    }

    /// A label of an axis.
    pub fn soft(&mut self, at: (f64, f64), anchor: Anchor, text: impl Display) {
        self.text_of("soft", "", at, anchor, text);
    }

    /// Text rotated to read upwards.
    pub fn upright(&mut self, (x, y): (f64, f64), text: impl Display) {
        let turn = format!(" transform=\"rotate(-90 {x:.1} {y:.1})\"");
        self.text_of("soft", &turn, (x, y), Anchor::Middle, text);
    }

    pub fn grid(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let _ = writeln!(self.0, "<line class=\"grid\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
    }

    pub fn line(&mut self, points: &[(f64, f64)], colour: Colour, stroke: Stroke) {
        let dashes = match stroke {
            Stroke::Solid => "",
            Stroke::Dashed => " stroke-dasharray=\"6 4\"",
            Stroke::Dotted => " stroke-dasharray=\"1.5 3.5\" stroke-linecap=\"round\"",
        };
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (class, points) = (class('l', colour), points.join(" "));
        let _ = writeln!(
            self.0,
            "<polyline class=\"{class}\" points=\"{points}\" fill=\"none\" stroke-width=\"2\"{dashes}/>"
        );
    }

    pub fn dot(&mut self, (x, y): (f64, f64), colour: Colour) {
        let _ = writeln!(self.0, "<circle class=\"{}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>", class('f', colour));
    }

    pub fn bar(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), colour: Colour, opacity: f64) {
        let _ = writeln!(
            self.0,
            "<rect class=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\" opacity=\"{opacity}\"/>",
            class('f', colour)
        );
    }

    pub fn finish(self) -> String {
        self.0 + "</svg>\n"
    }
}

fn class(kind: char, colour: Colour) -> String {
    match colour {
        Colour::Of(number) => format!("{kind}{number}"),
        Colour::Text => format!("{kind}text"),
    }
}
