//! The transformations of `post_transform`, in float32 and with ONNX Runtime's order of operations.

use crate::attributes::PostTransform;

impl PostTransform {
    /// Transforms the scores of one row, which must be two or more.
    pub(crate) fn apply(self, scores: &mut [f32]) {
        match self {
            Self::None => {}
            Self::Softmax => softmax(scores),
            Self::Logistic => scores.iter_mut().for_each(|score| *score = logistic(*score)),
            Self::SoftmaxZero => softmax_zero(scores),
            Self::Probit => scores.iter_mut().for_each(|score| *score = probit(*score)),
        }
    }
}

pub(crate) fn logistic(score: f32) -> f32 {
    let value = 1.0 / (1.0 + (-score.abs()).exp());
    if score < 0.0 { 1.0 - value } else { value }
}

/// ONNX Runtime's approximation of the inverse normal distribution.
pub(crate) fn probit(score: f32) -> f32 {
    const A: f32 = 0.147;
    let x = 2.0 * score - 1.0;
    let sign = if x < 0.0 { -1.0 } else { 1.0 };
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let v = 2.0 / (std::f32::consts::PI * A) + 0.5 * log;
    let v2 = 1.0 / A * log;
    std::f32::consts::SQRT_2 * (sign * (-v + (v * v - v2).sqrt()).sqrt())
}

fn softmax(scores: &mut [f32]) {
    let largest = largest(scores);
    let mut sum = 0.0;
    for score in &mut *scores {
        *score = (*score - largest).exp();
        sum += *score;
    }
    scores.iter_mut().for_each(|score| *score /= sum);
}

/// A softmax in which a score of zero stays zero.
fn softmax_zero(scores: &mut [f32]) {
    let largest = largest(scores);
    let factor = (-largest).exp();
    let mut sum = 0.0;
    for score in &mut *scores {
        if score.abs() > 1e-7 {
            *score = (*score - largest).exp();
            sum += *score;
        } else {
            *score *= factor;
        }
    }
    scores.iter_mut().for_each(|score| *score /= sum);
}

fn largest(scores: &[f32]) -> f32 {
    scores.iter().copied().fold(-f32::MAX, |largest, score| if score > largest { score } else { largest })
}
