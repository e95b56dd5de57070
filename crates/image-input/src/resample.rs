//! Resizing with Pillow's results, to the bit.
//!
//! Pillow's filters widen when they shrink an image, so every pixel counts. It works in integers: weights have 22 bits, and the rows that
//! the first pass leaves are rounded to 8 bits before the columns are summed.
//!
//! Rows come first, as in Pillow until version 12 and in torchvision. Pillow 13 resizes the columns first if the height shrinks by more
//! than twice as many pixels as the width, and `fast_image_resize` by a rule of its own. That moves the rounding and its limits: at hard
//! edges, bicubic and Lanczos differ by up to 34 levels.

use std::f64::consts::PI;

use crate::pixels::{CHANNELS, Pixels};

/// `resample` of a `preprocessor_config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// 0
    Nearest,
    /// 1
    Lanczos,
    /// 2
    Bilinear,
    /// 3
    Bicubic,
    /// 4
    Box,
    /// 5
    Hamming,
}

impl Filter {
    /// Pillow's number for it.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The filter with Pillow's number.
    pub fn from_number(number: u64) -> Option<Self> {
        let all = [Self::Nearest, Self::Lanczos, Self::Bilinear, Self::Bicubic, Self::Box, Self::Hamming];
        all.get(usize::try_from(number).ok()?).copied()
    }

    /// How far it reaches, in pixels of the smaller image.
    fn support(self) -> f64 {
        match self {
            Self::Nearest | Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The weight of a pixel at this distance.
    fn weight(self, x: f64) -> f64 {
        let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) };
        match self {
            Self::Nearest | Self::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
            Self::Bilinear => (1.0 - x.abs()).max(0.0),
            Self::Hamming if x.abs() >= 1.0 => 0.0,
            // Pillow's constants are C floats, whose sum is not exactly one.
            Self::Hamming if x == 0.0 => 1.0,
            Self::Hamming => sinc(x) * (f64::from(0.54_f32) + f64::from(0.46_f32) * (x * PI).cos()),
            Self::Bicubic => {
                const A: f64 = -0.5;
                match x.abs() {
                    x if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
                    x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
                    _ => 0.0,
                }
            }
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

/// The image in this size, which is not zero in either direction.
pub(crate) fn resize(image: Pixels, width: usize, height: usize, filter: Filter) -> Pixels {
    if (image.width, image.height) == (width, height) {
        return image;
    }
    if filter == Filter::Nearest {
        return nearest(&image, width, height);
    }
    let rows = |image: Pixels| if image.width == width { image } else { resize_rows(&image, width, filter) };
    let columns = |image: Pixels| if image.height == height { image } else { resize_columns(&image, height, filter) };
    // Pillow's exception for images like a thread.
    if image.height > 100 * image.width && height < image.height { rows(columns(image)) } else { columns(rows(image)) }
}

/// Bits behind the point of a weight. A filter's weights sum to one, but some can be negative, so a sum takes two bits more than a
/// pixel.
const PRECISION: u32 = 32 - 8 - 2;
const HALF: i32 = 1 << (PRECISION - 1);

/// The pixels that make one pixel of the result.
struct Taps {
    start: usize,
    weights: Vec<i32>,
}

/// The taps of each pixel of the result, in one direction.
fn taps(from: usize, to: usize, filter: Filter) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let filter_scale = scale.max(1.0);
    let support = filter.support() * filter_scale;
    let taps = |pixel: usize| {
        let center = (pixel as f64 + 0.5) * scale;
        // A cast truncates, as in C, and makes negative numbers zero.
        let start = (center - support + 0.5) as usize;
        let end = ((center + support + 0.5) as usize).min(from);
        let weight = |at: usize| filter.weight((at as f64 - center + 0.5) * (1.0 / filter_scale));
        let weights: Vec<_> = (start..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let scaled = |weight: f64| {
            let weight = if sum == 0.0 { weight } else { weight / sum } * f64::from(1 << PRECISION);
            (if weight < 0.0 { weight - 0.5 } else { weight + 0.5 }) as i32
        };
        Taps { start, weights: weights.into_iter().map(scaled).collect() }
    };
    (0..to).map(taps).collect()
}

fn clip(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

fn resize_rows(image: &Pixels, width: usize, filter: Filter) -> Pixels {
    let taps = taps(image.width, width, filter);
    let mut resized = Pixels::black(width, image.height);
    for (row, resized) in resized.rgb.chunks_exact_mut(CHANNELS * width).enumerate() {
        let row = image.row(row);
        for (taps, resized) in taps.iter().zip(resized.chunks_exact_mut(CHANNELS)) {
            let mut sums = [HALF; CHANNELS];
            for (pixel, weight) in row[CHANNELS * taps.start..].chunks_exact(CHANNELS).zip(&taps.weights) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(*value) * weight;
                }
            }
            for (resized, sum) in resized.iter_mut().zip(sums) {
                *resized = clip(sum);
            }
        }
    }
    resized
}

fn resize_columns(image: &Pixels, height: usize, filter: Filter) -> Pixels {
    let mut resized = Pixels::black(image.width, height);
    let mut sums = vec![0; CHANNELS * image.width];
    let rows = resized.rgb.chunks_exact_mut(CHANNELS * image.width);
    for (taps, resized) in taps(image.height, height, filter).iter().zip(rows) {
        sums.fill(HALF);
        for (row, weight) in (taps.start..).zip(&taps.weights) {
            for (sum, value) in sums.iter_mut().zip(image.row(row)) {
                *sum += i32::from(*value) * weight;
            }
        }
        for (resized, sum) in resized.iter_mut().zip(&sums) {
            *resized = clip(*sum);
        }
    }
    resized
}

fn nearest(image: &Pixels, width: usize, height: usize) -> Pixels {
    let (columns, rows) = (nearest_pixels(image.width, width), nearest_pixels(image.height, height));
    let mut resized = Pixels::black(width, height);
    for (row, resized) in rows.iter().zip(resized.rgb.chunks_exact_mut(CHANNELS * width)) {
        let row = image.row(*row);
        for (column, resized) in columns.iter().zip(resized.chunks_exact_mut(CHANNELS)) {
            resized.copy_from_slice(&row[CHANNELS * column..][..CHANNELS]);
        }
    }
    resized
}

/// The pixel that each pixel of the result copies, in one direction. Adds up the distance as Pillow does: a product would round
/// differently.
fn nearest_pixels(from: usize, to: usize) -> Vec<usize> {
    let scale = from as f64 / to as f64;
    let mut at = scale * 0.5;
    let next = |_| {
        let pixel = at as usize;
        at += scale;
        pixel.min(from - 1)
    };
    (0..to).map(next).collect()
}
