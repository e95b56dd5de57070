//! Image files to the numbers that a model reads.
//!
//! ```text
//! JPEG, PNG or WebP ── decode ── orientation ── resample ── crop ── Pixels ── normalise ──► tensor
//! ```
//!
//! [`Preprocessor`] says what is done, in the terms of Hugging Face's `preprocessor_config.json`. The reference is the image processor in
//! `transformers` that uses Pillow: from the same decoded pixels, the result is the same to the bit. Decoders agree on PNG and on lossless
//! WebP; JPEG and lossy WebP leave the rounding to the decoder, so their pixels differ from those of Pillow's libraries by a few levels.

#![warn(missing_docs)]

mod config;
mod decode;
mod error;
mod format;
mod orientation;
mod pixels;
mod preprocessor;
mod resample;

pub use self::{
    config::ConfigError,
    decode::Limits,
    error::ImageError,
    format::Format,
    pixels::Pixels,
    preprocessor::{Layout, Preprocessor, Size},
    resample::Filter,
};

/// Changes whenever the same file and [`Preprocessor`] may give other pixels. Include it in the identity of a model whose predictions are
/// cached.
pub const IMAGE_VERSION: u32 = 1;
