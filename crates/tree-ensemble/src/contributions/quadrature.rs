//! Integration of polynomials from 0 to 1, exact but for rounding.

use std::f64::consts::PI;

/// The points that are handled at once, as a vector of numbers.
pub(super) const LANES: usize = 4;

pub(super) type Lanes = [f64; LANES];

/// Some points of a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Points {
    /// The points, between 0 and 1.
    pub(super) t: Lanes,
    /// 1 − t.
    pub(super) rest: Lanes,
    /// The weights, which add up to 1 over all points.
    pub(super) weight: Lanes,
    /// −weight / (1 − t).
    pub(super) without: Lanes,
}

/// Gauss and Legendre's rule for polynomials below this degree; the last points may have the weight 0.
pub(super) fn rule(degree: usize) -> Vec<Points> {
    let count = degree.div_ceil(2).max(1);
    let mut all: Vec<(f64, f64)> = (0..count).map(|index| point(count, index)).collect();
    all.resize(count.next_multiple_of(LANES), (0.5, 0.0));
    let blocks = all.as_chunks::<LANES>().0.iter();
    blocks
        .map(|block| Points {
            t: block.map(|(t, _)| t),
            rest: block.map(|(t, _)| 1.0 - t),
            weight: block.map(|(_, weight)| weight),
            without: block.map(|(t, weight)| -weight / (1.0 - t)),
        })
        .collect()
}

/// A point and its weight: a root of the Legendre polynomial of degree `count`, found by Newton's method.
fn point(count: usize, index: usize) -> (f64, f64) {
    let mut x = (PI * (index as f64 + 0.75) / (count as f64 + 0.5)).cos();
    let mut slope = 1.0;
    // Converges in five steps or fewer.
    for _ in 0..8 {
        let (mut below, mut value) = (1.0, x);
        for k in 2..=count {
            let k = k as f64;
            (below, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * below) / k);
        }
        slope = count as f64 * (x * value - below) / (x * x - 1.0);
        x -= value / slope;
    }
    (0.5 - x / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_integrates_each_power_below_its_degree() {
        for degree in [1, 2, 3, 7, 8, 9, 16, 17, 64, 333] {
            let points = rule(degree);
            for power in 0..degree {
                let integral: f64 = points
                    .iter()
                    .flat_map(|points| points.t.iter().zip(points.weight))
                    .map(|(t, weight)| weight * t.powi(power as i32))
                    .sum();
                let exact = 1.0 / (power as f64 + 1.0);
                assert!((integral - exact).abs() < 1e-14, "t^{power} of {degree}: {integral} and not {exact}");
            }
        }
    }
}
