//! Lower and upper bounds of numbers.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    pub limit: f64,
    /// Whether the limit itself is excluded.
    pub exclusive: bool,
}

impl Bound {
    /// Whether it holds as a lower bound of the number.
    pub(crate) fn is_below(&self, number: f64) -> bool {
        if self.exclusive { number > self.limit } else { number >= self.limit }
    }

    /// Whether it holds as an upper bound of the number.
    pub(crate) fn is_above(&self, number: f64) -> bool {
        if self.exclusive { number < self.limit } else { number <= self.limit }
    }
}

/// Displays a lower and an upper bound: ` from 0 to 1`, ` greater than 0 and at most 1`. Empty without bounds.
pub(crate) struct Range(pub(crate) Option<Bound>, pub(crate) Option<Bound>);

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inclusive = |bound: &Bound| !bound.exclusive;
        match (self.0, self.1) {
            (None, None) => Ok(()),
            (Some(lower), Some(upper)) if inclusive(&lower) && inclusive(&upper) => {
                write!(f, " from {} to {}", lower.limit, upper.limit)
            }
            (lower, upper) => {
                let lower =
                    lower.map(|lower| (if lower.exclusive { "greater than" } else { "of at least" }, lower.limit));
                let upper = upper.map(|upper| {
                    let first = self.0.is_none();
                    let words = match (upper.exclusive, first) {
                        (true, _) => "less than",
                        (false, true) => "of at most",
                        (false, false) => "at most",
                    };
                    (words, upper.limit)
                });
                let bounds = [lower, upper].into_iter().flatten().enumerate();
                bounds.into_iter().try_for_each(|(position, (words, limit))| {
                    write!(f, "{}{words} {limit}", if position == 0 { " " } else { " and " })
                })
            }
        }
    }
}
