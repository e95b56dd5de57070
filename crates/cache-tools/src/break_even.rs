//! The break-even plot: for which models a cache behind a network pays.

use crate::svg::{Anchor, Colour, Stroke, Svg};

const LEFT: f64 = 96.0;
const TOP: f64 = 64.0;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 400.0;
/// Both axes are logarithmic, in milliseconds.
const LOOKUPS: [f64; 2] = [0.02, 20.0];
const RUNS: [f64; 2] = [0.002, 200.0];
const PAYS: Colour = Colour::Of(2);
const COSTS: Colour = Colour::Of(1);

/// The marks of the axes.
const LOOKUP_MARKS: [(f64, &str); 4] = [(0.03, "30 µs"), (0.3, "0.3 ms"), (1.0, "1 ms"), (10.0, "10 ms")];
const RUN_MARKS: [(f64, &str); 5] =
    [(0.01, "10 µs"), (0.1, "0.1 ms"), (1.0, "1 ms"), (10.0, "10 ms"), (100.0, "100 ms")];

fn at(lookup: f64, run: f64) -> (f64, f64) {
    let share = |value: f64, [from, to]: [f64; 2]| (value / from).ln() / (to / from).ln();
    (LEFT + WIDTH * share(lookup, LOOKUPS), TOP + HEIGHT * (1.0 - share(run, RUNS)))
}

/// A model behind a Redis.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// In milliseconds.
    pub lookup: f64,
    /// In milliseconds.
    pub run: f64,
    /// Whether looking up is faster than computing.
    pub pays: bool,
}

/// The break-even lines at hit ratios of 95, 80 and 50 %, and `points`. `legend` says how they came about, and names those that pay and
/// those that do not.
pub fn plot(points: &[Point], legend: [&str; 3]) -> String {
    let [measured, pays, costs] = legend;
    let mut svg = Svg::new(940, 540, "Which models a cache behind a network pays for");
    svg.heading((20.0, 28.0), "A cache behind a network pays for models above the line");
    for (lookup, name) in LOOKUP_MARKS {
        svg.grid(at(lookup, RUNS[0]), at(lookup, RUNS[1]));
        svg.soft((at(lookup, RUNS[0]).0, TOP + HEIGHT + 18.0), Anchor::Middle, name);
    }
    for (run, name) in RUN_MARKS {
        svg.grid(at(LOOKUPS[0], run), at(LOOKUPS[1], run));
        svg.soft((LEFT - 8.0, at(LOOKUPS[0], run).1 + 4.0), Anchor::End, name);
    }
    svg.soft((LEFT + WIDTH / 2.0, TOP + HEIGHT + 42.0), Anchor::Middle, "a lookup in Redis takes");
    svg.upright((28.0, TOP + HEIGHT / 2.0), "a run of the model takes");
    // From docs/trees.md; the fastest is below the range of the axis.
    let [slowest, fastest] = [at(LOOKUPS[0], 0.141), at(LOOKUPS[0], RUNS[0])];
    svg.bar(slowest, (WIDTH, fastest.1 - slowest.1), Colour::Of(4), 0.15);
    // A lookup breaks even if a run takes as long as the lookup divided by the hit ratio.
    for (share, stroke) in [(0.95, Stroke::Solid), (0.8, Stroke::Dashed), (0.5, Stroke::Dotted)] {
        let from = at(LOOKUPS[0], LOOKUPS[0] / share);
        let to = at(LOOKUPS[1], LOOKUPS[1] / share);
        svg.line(&[from, to], Colour::Text, stroke);
    }
    svg.text(at(0.024, 60.0), Anchor::Start, "looking up is faster");
    svg.text(at(1.7, 0.3), Anchor::Start, "computing is faster");
    svg.text(at(0.024, 0.0028), Anchor::Start, "tree ensembles of 100 to 1,000 trees");
    for Point { lookup, run, pays } in points {
        // A point beyond an axis lies at its end.
        let at = at(lookup.clamp(LOOKUPS[0], LOOKUPS[1]), run.clamp(RUNS[0], RUNS[1]));
        svg.dot(at, if *pays { PAYS } else { COSTS });
    }
    let left = LEFT + WIDTH + 28.0;
    let mut y = TOP + 10.0;
    svg.text((left, y), Anchor::Start, "break-even at a hit ratio of");
    for (name, stroke) in [("95 %", Stroke::Solid), ("80 %", Stroke::Dashed), ("50 %", Stroke::Dotted)] {
        y += 22.0;
        svg.line(&[(left, y - 4.0), (left + 36.0, y - 4.0)], Colour::Text, stroke);
        svg.text((left + 46.0, y), Anchor::Start, name);
    }
    y += 44.0;
    svg.text((left, y), Anchor::Start, measured);
    for (name, colour) in [(pays, PAYS), (costs, COSTS)] {
        y += 22.0;
        svg.dot((left + 18.0, y - 4.0), colour);
        svg.text((left + 46.0, y), Anchor::Start, name);
    }
    svg.finish()
}
