//! The `Orientation` of an image in its EXIF data.

use crate::pixels::{CHANNELS, Pixels};

/// What has to be done with the stored pixels: first [`Self::transposes`], then the flips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orientation {
    /// Rows become columns.
    transposes: bool,
    flips_columns: bool,
    flips_rows: bool,
}

impl Orientation {
    /// Reads the orientation from EXIF data. Data that is absent or unreadable says nothing.
    pub(crate) fn from_exif(exif: &[u8]) -> Self {
        // PNG and WebP files of some programs keep the prefix that JPEG has.
        let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
        let (transposes, flips_columns, flips_rows) = match orientation(tiff) {
            Some(2) => (false, true, false),
            Some(3) => (false, true, true),
            Some(4) => (false, false, true),
            Some(5) => (true, false, false),
            Some(6) => (true, true, false),
            Some(7) => (true, true, true),
            Some(8) => (true, false, true),
            _ => (false, false, false),
        };
        Self { transposes, flips_columns, flips_rows }
    }

    /// The image as it is meant to be seen.
    pub(crate) fn apply(self, image: Pixels) -> Pixels {
        if self == Self::default() {
            return image;
        }
        let (width, height) = if self.transposes { (image.height, image.width) } else { (image.width, image.height) };
        let mut turned = Pixels::black(width, height);
        for (index, pixel) in turned.rgb.chunks_exact_mut(CHANNELS).enumerate() {
            let (row, column) = (index / width, index % width);
            let row = if self.flips_rows { height - 1 - row } else { row };
            let column = if self.flips_columns { width - 1 - column } else { column };
            let (row, column) = if self.transposes { (column, row) } else { (row, column) };
            pixel.copy_from_slice(&image.row(row)[CHANNELS * column..][..CHANNELS]);
        }
        turned
    }
}

/// Tag 0x0112 of the first directory of a TIFF file.
fn orientation(tiff: &[u8]) -> Option<u32> {
    const TAG: u32 = 0x0112;
    const SHORT: u32 = 3;
    const ENTRY: usize = 12;
    let is_little_endian = match tiff.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let number = |at: usize, length: usize| {
        let bytes = tiff.get(at..at.checked_add(length)?)?.iter();
        let add = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
        Some(if is_little_endian { bytes.rev().fold(0, add) } else { bytes.fold(0, add) })
    };
    if number(2, 2)? != 42 {
        return None;
    }
    let directory = number(4, 4)? as usize;
    let entries = number(directory, 2)? as usize;
    let entry = (0..entries).map(|entry| directory + 2 + ENTRY * entry).find(|at| number(*at, 2) == Some(TAG))?;
    if number(entry + 2, 2)? == SHORT { number(entry + 8, 2) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exif(order: &[u8], type_of: u16, orientation: u16) -> Vec<u8> {
        let is_little_endian = order == b"II";
        let short = |number: u16| if is_little_endian { number.to_le_bytes() } else { number.to_be_bytes() };
        let long = |number: u32| if is_little_endian { number.to_le_bytes() } else { number.to_be_bytes() };
        [
            order,
            &short(42),
            &long(8),
            &short(2),
            // Image width
            &short(0x0100),
            &short(3),
            &long(1),
            &short(640),
            &[0, 0],
            &short(0x0112),
            &short(type_of),
            &long(1),
            &short(orientation),
            &[0, 0],
        ]
        .concat()
    }

    #[test]
    fn both_byte_orders_are_read() {
        let turned = Orientation { transposes: true, flips_columns: true, flips_rows: false };
        assert_eq!(Orientation::from_exif(&exif(b"II", 3, 6)), turned);
        assert_eq!(Orientation::from_exif(&exif(b"MM", 3, 6)), turned);
        assert_eq!(Orientation::from_exif(&[b"Exif\0\0".as_slice(), &exif(b"MM", 3, 6)].concat()), turned);
    }

    #[test]
    fn unreadable_data_leaves_an_image_as_it_is() {
        let readable = exif(b"II", 3, 6);
        for end in 0..32 {
            assert_eq!(Orientation::from_exif(&readable[..end]), Orientation::default(), "{end}");
        }
        for exif in [exif(b"II", 3, 9), exif(b"II", 3, 0), exif(b"II", 5, 6), exif(b"XX", 3, 6), vec![0xff; 64]] {
            assert_eq!(Orientation::from_exif(&exif), Orientation::default());
        }
        let mut far = exif(b"MM", 3, 6);
        far[4..8].fill(0xff);
        assert_eq!(Orientation::from_exif(&far), Orientation::default());
    }
}
