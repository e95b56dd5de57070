use crate::format::Format;

/// Why a file is no input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The file has no bytes.
    #[error("the image is empty")]
    Empty,
    /// The file is larger than [`Limits::bytes`](crate::Limits::bytes).
    #[error("the image has {bytes} bytes; at most {limit} are allowed")]
    TooManyBytes {
        /// The file's size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The first bytes are those of no known format.
    #[error("not a JPEG, PNG or WebP image")]
    UnknownFormat,
    /// The header announces more pixels than [`Limits::pixels`](crate::Limits::pixels).
    #[error("the image has {width} × {height} pixels; at most {limit} pixels are allowed")]
    TooManyPixels {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// The limit of their product.
        limit: u32,
    },
    /// The file has too few bytes for an image of this size: 512 pixels are decoded for each, and 262,144 more.
    #[error("the image has {width} × {height} pixels in only {bytes} bytes")]
    TooFewBytes {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
        /// The file's size.
        bytes: usize,
    },
    /// In the size that the model reads, an image with these proportions would be too long.
    #[error("the image is too long and narrow: resized, it would be longer than {limit} pixels")]
    TooLong {
        /// In pixels.
        limit: usize,
    },
    /// The file ends before the image does.
    #[error("the {0} image is truncated")]
    Truncated(Format),
    /// The file is valid, but of a kind that is not decoded.
    #[error("{0} are not supported")]
    Unsupported(&'static str),
    /// The file violates its format; the text is the decoder's.
    #[error("the {0} image is invalid: {1}")]
    Invalid(Format, String),
}
