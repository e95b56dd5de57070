use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, DecodingError, Transformations};

use super::{Decoded, Format, check_size, read_error, to_rgb};
use crate::{error::ImageError, orientation::Orientation};

pub(super) fn decode(file: &[u8], limit: u32) -> Decoded {
    let mut decoder = Decoder::new(Cursor::new(file));
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    // Palettes become colours, 1 to 4 bits become 8, and of 16 bits, the upper half is kept.
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(error)?;
    let (width, height) = (header.width, header.height);
    check_size(file, width, height, 1, limit)?;
    if header.color_type == ColorType::Grayscale && header.bit_depth == BitDepth::Sixteen {
        // Pillow clips them at 255, so almost every pixel is white.
        return Err(ImageError::Unsupported("16-bit grayscale PNG images"));
    }
    let mut reader = decoder.read_info().map_err(error)?;
    let channels = reader.output_color_type().0.samples();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap_or_default()];
    reader.next_frame(&mut pixels).map_err(error)?;
    // The rest of the file has metadata, which may come behind the pixels, and the end.
    reader.finish().map_err(error)?;
    let orientation = reader.info().exif_metadata.as_deref().map(Orientation::from_exif).unwrap_or_default();
    Ok((to_rgb(width, height, pixels, channels), orientation))
}

fn error(error: DecodingError) -> ImageError {
    match error {
        DecodingError::IoError(error) => read_error(Format::Png, &error),
        error => ImageError::Invalid(Format::Png, error.to_string()),
    }
}
