use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use super::{Decoded, Format, check_size, read_error, to_rgb};
use crate::{error::ImageError, orientation::Orientation};

pub(super) fn decode(file: &[u8], limit: u32) -> Decoded {
    if number(file, 4).is_none_or(|size| size > file.len() - 8) {
        return Err(ImageError::Truncated(Format::WebP));
    }
    let mut decoder = WebPDecoder::new(Cursor::new(file)).map_err(error)?;
    let (width, height) = decoder.dimensions();
    check_size(file, width, height, 1, limit)?;
    if decoder.is_animated() {
        return Err(ImageError::Unsupported("animated WebP images"));
    }
    // A lossy image in the extended format has a second header, which the decoder compares with the first when it has decoded the image.
    if let Some((width, height)) = lossy_size(file) {
        check_size(file, width, height, 1, limit)?;
    }
    // The metadata is part of the file, whose size is limited.
    decoder.set_memory_limit(file.len());
    let orientation = decoder.exif_metadata().map_err(error)?;
    let orientation = orientation.as_deref().map(Orientation::from_exif).unwrap_or_default();
    let mut pixels = vec![0; decoder.output_buffer_size().unwrap_or_default()];
    decoder.read_image(&mut pixels).map_err(error)?;
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    Ok((to_rgb(width, height, pixels, channels), orientation))
}

fn error(error: DecodingError) -> ImageError {
    match error {
        DecodingError::IoError(error) => read_error(Format::WebP, &error),
        error => ImageError::Invalid(Format::WebP, error.to_string()),
    }
}

/// The size in the header of the first chunk with a lossy image.
fn lossy_size(file: &[u8]) -> Option<(u32, u32)> {
    const HEADER: usize = 8;
    let mut at = 12;
    while file.get(at..at + 4)? != b"VP8 " {
        at += HEADER + number(file, at + 4)?.next_multiple_of(2);
    }
    // Behind the frame's tag and its signature, three bytes each; the upper two bits are a scale for display.
    let sizes = number(file, at + HEADER + 6)? as u32;
    Some((sizes & 0x3fff, sizes >> 16 & 0x3fff))
}

/// The four bytes at this position, the lowest first.
fn number(file: &[u8], at: usize) -> Option<usize> {
    let bytes = file.get(at..at + 4)?;
    Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
}
