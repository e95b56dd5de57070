//! The transformations of `post_transform`, with ONNX Runtime's order of operations, in the type of the output.

use crate::{attributes::PostTransform, number::Number};

impl PostTransform {
    /// Transforms the scores of one row, which must be two or more.
    pub(crate) fn apply<T: Number>(self, scores: &mut [T]) {
        match self {
            Self::None => {}
            Self::Softmax => softmax(scores),
            Self::Logistic => scores.iter_mut().for_each(|score| *score = logistic(*score)),
            Self::SoftmaxZero => softmax_zero(scores),
            Self::Probit => scores.iter_mut().for_each(|score| *score = probit(*score)),
        }
    }
}

pub(crate) fn logistic<T: Number>(score: T) -> T {
    let one = T::one();
    let value = one / (one + (-score.abs()).exp());
    if score < T::default() { one - value } else { value }
}

/// ONNX Runtime's approximation of the inverse normal distribution.
pub(crate) fn probit<T: Number>(score: T) -> T {
    const A: f32 = 0.147;
    let number = |number: f32| -> T { number.into() };
    let x = number(2.0) * score - number(1.0);
    let sign = if x < T::default() { number(-1.0) } else { number(1.0) };
    let log = ((number(1.0) - x) * (number(1.0) + x)).ln();
    let v = number(2.0 / (std::f32::consts::PI * A)) + number(0.5) * log;
    let v2 = number(1.0 / A) * log;
    number(std::f32::consts::SQRT_2) * (sign * (-v + (v * v - v2).sqrt()).sqrt())
}

fn softmax<T: Number>(scores: &mut [T]) {
    let largest = largest(scores);
    let mut sum = T::default();
    for score in &mut *scores {
        *score = (*score - largest).exp();
        sum = sum + *score;
    }
    scores.iter_mut().for_each(|score| *score = *score / sum);
}

/// A softmax in which a score of zero stays zero.
fn softmax_zero<T: Number>(scores: &mut [T]) {
    let largest = largest(scores);
    let factor = (-largest).exp();
    let mut sum = T::default();
    for score in &mut *scores {
        if score.abs() > 1e-7_f32.into() {
            *score = (*score - largest).exp();
            sum = sum + *score;
        } else {
            *score = *score * factor;
        }
    }
    scores.iter_mut().for_each(|score| *score = *score / sum);
}

fn largest<T: Number>(scores: &[T]) -> T {
    scores.iter().copied().fold(T::min_value(), |largest, score| if score > largest { score } else { largest })
}
