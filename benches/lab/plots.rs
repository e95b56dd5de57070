//! The plots: hit ratio by policy and memory, bytes by layout, and reads saved by the memory tier.

use cache_tools::svg::{Anchor, Colour, Stroke, Svg};

use super::{
    plan::POLICIES,
    results::{Results, thousands},
    weight::PLAIN,
};

/// A plot area: equidistant values on the x axis, per cent on the y axis.
struct Panel {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    steps: usize,
}

impl Panel {
    fn at(&self, step: usize, share: f64) -> (f64, f64) {
        let inset = 14.0;
        let x = self.left + inset + (self.width - 2.0 * inset) * step as f64 / (self.steps - 1).max(1) as f64;
        (x, self.top + self.height * (1.0 - share))
    }

    fn draw(&self, svg: &mut Svg, labels: &[String], per_cent: bool) {
        for quarter in 0..=4 {
            let share = f64::from(quarter) / 4.0;
            let y = self.at(0, share).1;
            svg.grid((self.left, y), (self.left + self.width, y));
            if per_cent {
                svg.soft((self.left - 6.0, y + 4.0), Anchor::End, format!("{:.0}", share * 100.0));
            }
        }
        for (step, label) in labels.iter().enumerate() {
            svg.soft((self.at(step, 0.0).0, self.top + self.height + 17.0), Anchor::Middle, label);
        }
    }

    fn curve(&self, svg: &mut Svg, shares: &[f64], colour: Colour, stroke: Stroke) {
        let points: Vec<_> = shares.iter().enumerate().map(|(step, share)| self.at(step, *share)).collect();
        svg.line(&points, colour, stroke);
        if stroke == Stroke::Solid {
            points.into_iter().for_each(|point| svg.dot(point, colour));
        }
    }
}

/// The colour shows the eviction rule; a dashed line, that only entries with a time to live are evicted.
fn look(policy: &str) -> (Colour, Stroke) {
    let colour = match policy.split_once('-').map_or(policy, |(_, which)| which) {
        "lfu" => 0,
        "lru" => 1,
        "random" => 2,
        "ttl" => 3,
        _ => 4,
    };
    (Colour::Of(colour), if policy.starts_with("volatile") { Stroke::Dashed } else { Stroke::Solid })
}

pub(crate) fn hit_ratios(results: &Results) -> String {
    let (columns, width, height) = (3, 250.0, 200.0);
    // One cell is for the legend.
    let rows = (results.workloads.len() + 1).div_ceil(columns);
    let place = |number: usize| {
        let (column, row) = (number % columns, number / columns);
        (62.0 + (width + 38.0) * column as f64, 72.0 + (height + 92.0) * row as f64)
    };
    let size = (940, 40 + 292 * rows as u32);
    let mut svg = Svg::new(size.0, size.1, "Hit ratio by eviction policy, memory and workload");
    svg.heading((20.0, 28.0), "Hit ratio in Redis by eviction policy and memory");
    let labels: Vec<_> = results.plan.shares.iter().map(|share| format!("{:.0}", share * 100.0)).collect();
    let shares = 0..results.rooms.len();
    for (number, workload) in results.workloads.iter().enumerate() {
        let (left, top) = place(number);
        let panel = Panel { left, top, width, height, steps: labels.len() };
        panel.draw(&mut svg, &labels, true);
        svg.text((left, top - 12.0), Anchor::Start, workload.name());
        svg.soft((left + width / 2.0, top + height + 38.0), Anchor::Middle, "memory, % of what all entries need");
        if number % columns == 0 {
            svg.upright((left - 38.0, top + height / 2.0), "hits, % of requests");
        }
        let optimum: Vec<_> = shares.clone().map(|share| results.optimum(number, share).mean).collect();
        panel.curve(&mut svg, &optimum, Colour::Text, Stroke::Dotted);
        for policy in POLICIES.iter().rev() {
            let hits: Vec<_> = shares.clone().map(|share| results.hits(number, share, policy).mean).collect();
            let (colour, stroke) = look(policy);
            panel.curve(&mut svg, &hits, colour, stroke);
        }
    }
    let (left, top) = place(results.workloads.len());
    let optimum = ("the optimum (Belady)", (Colour::Text, Stroke::Dotted));
    let policies = POLICIES.iter().map(|policy| (*policy, look(policy)));
    for (number, (name, (colour, stroke))) in [optimum].into_iter().chain(policies).enumerate() {
        let y = top + 12.0 + 22.0 * number as f64;
        svg.line(&[(left + 10.0, y), (left + 46.0, y)], colour, stroke);
        svg.text((left + 56.0, y + 4.0), Anchor::Start, name);
    }
    svg.finish()
}

pub(crate) fn bytes(results: &Results) -> String {
    let names = [(PLAIN, "endpoint and input as text"), ("string", "string"), ("hash", "hash"), ("output", "output")];
    let most =
        results.weights.iter().flat_map(|weight| [weight.usage, weight.used, weight.resident]).fold(0.0, f64::max);
    let (left, top, room, row) = (190.0, 78.0, 640.0, 84.0);
    let height = top + row * names.len() as f64 + 40.0;
    let mut svg = Svg::new(940, height as u32, "Bytes per input in Redis by layout");
    let predictions = results.shape.predictions;
    let title = if predictions == 1 {
        "Memory per input in Redis, with its prediction".to_owned()
    } else {
        format!("Memory per input in Redis, with all {predictions} predictions")
    };
    svg.heading((20.0, 28.0), title);
    let measures = ["MEMORY USAGE", "used_memory", "process"];
    for (number, measure) in measures.iter().enumerate() {
        let x = left + 150.0 * number as f64;
        svg.bar((x, 44.0), (14.0, 14.0), Colour::Of(number), 1.0);
        svg.text((x + 20.0, 55.0), Anchor::Start, measure);
    }
    for (number, (name, label)) in names.iter().enumerate() {
        let (weight, y) = (results.weight(name), top + row * number as f64);
        svg.text((left - 12.0, y + row / 2.0), Anchor::End, label);
        for (bar, bytes) in [weight.usage, weight.used, weight.resident].into_iter().enumerate() {
            let (y, width) = (y + 12.0 + 21.0 * bar as f64, room * bytes / most);
            svg.bar((left, y), (width, 17.0), Colour::Of(bar), 1.0);
            svg.text((left + width + 8.0, y + 13.0), Anchor::Start, format!("{bytes:.0}"));
        }
    }
    svg.grid((left, top), (left, height - 36.0));
    svg.soft((left, height - 16.0), Anchor::Start, "bytes per input");
    svg.finish()
}

pub(crate) fn taken_off(results: &Results) -> String {
    let tiers = &results.plan.tiers;
    let panel = Panel { left: 70.0, top: 60.0, width: 640.0, height: 300.0, steps: tiers.len() };
    let mut svg = Svg::new(940, 430, "Reads taken off Redis by the tier in the process");
    svg.heading((20.0, 28.0), "Reads that the tier in the process takes off Redis");
    panel.draw(&mut svg, &tiers.iter().map(|tier| thousands(*tier)).collect::<Vec<_>>(), true);
    svg.upright((26.0, panel.top + panel.height / 2.0), "answered in the process, % of requests");
    let middle = panel.left + panel.width / 2.0;
    svg.soft(
        (middle, panel.top + panel.height + 44.0),
        Anchor::Middle,
        "entries in the process (MEMORY_CACHE_ENTRIES)",
    );
    let mut ends = Vec::new();
    for number in 0..results.workloads.len() {
        let shares: Vec<_> = tiers.iter().map(|tier| results.taken_off(number, *tier).mean).collect();
        panel.curve(&mut svg, &shares, Colour::Of(number % 6), Stroke::Solid);
        ends.push((panel.at(tiers.len() - 1, shares[shares.len() - 1]).1, number));
    }
    // Label the ends of the curves, moving labels apart where they would overlap.
    ends.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut next = 0.0;
    for (y, number) in ends {
        let y = f64::max(y, next);
        next = y + 18.0;
        svg.bar((panel.left + panel.width + 10.0, y - 5.0), (10.0, 10.0), Colour::Of(number % 6), 1.0);
        svg.text((panel.left + panel.width + 28.0, y + 4.0), Anchor::Start, results.workloads[number].name());
    }
    svg.finish()
}
