use jpeg_decoder::{Decoder, Error, PixelFormat, UnsupportedFeature};

use super::{Decoded, Format, check_size, read_error, to_rgb};
use crate::{error::ImageError, orientation::Orientation, pixels::Pixels};

/// The most scans of a progressive image. Usual ones have about ten. A scan of a few bytes can visit all blocks, so without a limit, a
/// small file would take minutes.
const MAX_SCANS: usize = 100;
const USUAL_SCANS: usize = 10;

pub(super) fn decode(file: &[u8], limit: u32) -> Decoded {
    let mut decoder = Decoder::new(file);
    decoder.read_info().map_err(error)?;
    let info = decoder.info().ok_or(ImageError::Truncated(Format::Jpeg))?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let scans = scans(file);
    check_size(file, width, height, scans.div_ceil(USUAL_SCANS), limit)?;
    if scans > MAX_SCANS {
        return Err(ImageError::Unsupported("JPEG images with more than 100 scans"));
    }
    let pixels = decoder.decode().map_err(error)?;
    let pixels = match info.pixel_format {
        PixelFormat::L8 => to_rgb(width, height, pixels, 1),
        PixelFormat::RGB24 => to_rgb(width, height, pixels, 3),
        PixelFormat::CMYK32 => cmyk_to_rgb(width, height, &pixels),
        PixelFormat::L16 => return Err(ImageError::Unsupported("JPEG images with more than 8 bits")),
    };
    let orientation = decoder.exif_data().map(Orientation::from_exif).unwrap_or_default();
    Ok((pixels, orientation))
}

fn error(error: Error) -> ImageError {
    match error {
        Error::Io(error) => read_error(Format::Jpeg, &error),
        Error::Unsupported(feature) => ImageError::Unsupported(match feature {
            UnsupportedFeature::ArithmeticEntropyCoding => "JPEG images with arithmetic coding",
            UnsupportedFeature::Hierarchical => "hierarchical JPEG images",
            UnsupportedFeature::SamplePrecision(_) => "JPEG images with more than 8 bits",
            UnsupportedFeature::DNL => "JPEG images without a height in their header",
            UnsupportedFeature::SubsamplingRatio | UnsupportedFeature::NonIntegerSubsamplingRatio => {
                "JPEG images with this subsampling"
            }
            UnsupportedFeature::ComponentCount(_) | UnsupportedFeature::ColorTransform(_) => {
                "JPEG images in this colour space"
            }
        }),
        error => ImageError::Invalid(Format::Jpeg, error.to_string()),
    }
}

/// As Pillow converts its mode CMYK.
fn cmyk_to_rgb(width: u32, height: u32, cmyk: &[u8]) -> Pixels {
    let rgb = cmyk.chunks_exact(4).flat_map(|ink| {
        let white = 255 - u32::from(ink[3]);
        [0, 1, 2].map(|channel| {
            let product = u32::from(ink[channel]) * white + 128;
            (white - (((product >> 8) + product) >> 8)) as u8
        })
    });
    Pixels { width: width as usize, height: height as usize, rgb: rgb.collect() }
}

/// The number of scans in a file. Follows the lengths of segments, because metadata may contain other images.
fn scans(file: &[u8]) -> usize {
    const START_OF_SCAN: u8 = 0xda;
    let (mut scans, mut at) = (0, 2);
    while let Some(marker) = next_marker(file, at) {
        let kind = file[marker + 1];
        scans += usize::from(kind == START_OF_SCAN);
        let length = match file.get(marker + 2..marker + 4) {
            // Fill bytes, stuffed bytes and markers within a scan have no length.
            _ if matches!(kind, 0 | 1 | 0xd0..=0xd9 | 0xff) => 0,
            Some(length) => usize::from(u16::from_be_bytes([length[0], length[1]])),
            None => break,
        };
        at = marker + if kind == 0xff { 1 } else { 2 + length };
    }
    scans
}

/// The position of the next 0xff byte that another byte follows.
fn next_marker(file: &[u8], at: usize) -> Option<usize> {
    let found = at + file.get(at..)?.iter().position(|byte| *byte == 0xff)?;
    (found + 1 < file.len()).then_some(found)
}
