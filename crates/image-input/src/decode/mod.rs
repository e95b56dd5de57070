//! Files to pixels in RGB.

mod jpeg;
mod png;
mod webp;

use std::io;

use crate::{error::ImageError, format::Format, orientation::Orientation, pixels::Pixels};

/// Checked before anything is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Size of the file.
    pub bytes: usize,
    /// Width times height. Decoding needs up to 14 bytes of memory for each.
    pub pixels: u32,
}

/// The pixels of a file, rotated as its EXIF data says. Transparency is dropped, as Pillow's `convert("RGB")` does.
pub(crate) fn decode(file: &[u8], limits: Limits) -> Result<Pixels, ImageError> {
    if file.is_empty() {
        return Err(ImageError::Empty);
    }
    if file.len() > limits.bytes {
        return Err(ImageError::TooManyBytes { bytes: file.len(), limit: limits.bytes });
    }
    let (pixels, orientation) = match Format::of(file).ok_or(ImageError::UnknownFormat)? {
        Format::Jpeg => jpeg::decode(file, limits.pixels),
        Format::Png => png::decode(file, limits.pixels),
        Format::WebP => webp::decode(file, limits.pixels),
    }?;
    Ok(orientation.apply(pixels))
}

/// What a decoder returns.
type Decoded = Result<(Pixels, Orientation), ImageError>;

/// Checks a size in a header of `file`, in which each pixel is coded so many times: once, unless the image is progressive.
fn check_size(file: &[u8], width: u32, height: u32, times: usize, limit: u32) -> Result<(), ImageError> {
    /// Decoding takes time for each pixel, of which a file of one colour can announce millions in a few bytes. Images that show something
    /// have less than fifty for each byte.
    const PIXELS_PER_BYTE: usize = 512;
    /// As many are decoded of the smallest file: 512 × 512.
    const FREE_PIXELS: usize = 1 << 18;
    let Some(pixels) = width.checked_mul(height).filter(|pixels| *pixels <= limit) else {
        return Err(ImageError::TooManyPixels { width, height, limit });
    };
    let bytes = file.len();
    match pixels as usize * times <= FREE_PIXELS + PIXELS_PER_BYTE * bytes {
        true => Ok(()),
        false => Err(ImageError::TooFewBytes { width, height, bytes }),
    }
}

/// The error of a decoder that met this one while reading.
fn read_error(format: Format, error: &io::Error) -> ImageError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ImageError::Truncated(format),
        _ => ImageError::Invalid(format, error.to_string()),
    }
}

/// Converts pixels of `channels` bytes to RGB: gray, gray with alpha, RGB, or RGB with alpha.
fn to_rgb(width: u32, height: u32, pixels: Vec<u8>, channels: usize) -> Pixels {
    let rgb = match channels {
        1 | 2 => pixels.chunks_exact(channels).flat_map(|pixel| [pixel[0]; 3]).collect(),
        3 => pixels,
        _ => pixels.chunks_exact(channels).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
    };
    Pixels { width: width as usize, height: height as usize, rgb }
}
