//! Images, converted to the tensor that an image processor would produce.

use std::{borrow::Cow, fmt, sync::Arc};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use half::f16;
use image_input::{IMAGE_VERSION, ImageError, Layout, Limits, Pixels, Preprocessor};
use sha2::{Digest, Sha256};

use super::{Encoded, Tensors, decoded_files::DecodedFiles};
use crate::{
    declaration::{DeclaredSize, TensorDeclaration, datatype},
    files::{Files, is_file_name},
    json::shape_text,
    manifest::{FieldEntry, PreprocessorEntry},
    mistake::Entry,
    tensor::{DataType, Tensor},
};

/// The default of `max_bytes`.
const DEFAULT_MAX_BYTES: usize = 4_000_000;
/// A Lambda function's event has at most 6 MB, and base64 makes four bytes of three.
const MOST_BYTES: usize = 4_400_000;
/// The default of `max_pixels`: 4,096 × 4,096.
const DEFAULT_MAX_PIXELS: u32 = 1 << 24;
/// Decoding takes up to 16 bytes for each: 1 GiB.
const MOST_PIXELS: u32 = 1 << 26;

/// With or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Clone, Debug)]
pub struct Image {
    preprocessor: Preprocessor,
    limits: Limits,
    datatype: DataType,
    /// In pixels, of what the model reads.
    height: usize,
    width: usize,
    decoded: Arc<DecodedFiles>,
}

impl Image {
    /// `input`: the graph's input that the field feeds, if the graph is known.
    pub(crate) fn new(
        written: &FieldEntry,
        input: Option<&TensorDeclaration>,
        files: &Files,
        entry: &mut Entry<'_>,
    ) -> Option<Self> {
        let limits = Limits {
            bytes: written.max_bytes.unwrap_or(DEFAULT_MAX_BYTES),
            pixels: written.max_pixels.unwrap_or(DEFAULT_MAX_PIXELS),
        };
        entry.require(
            (1..=MOST_BYTES).contains(&limits.bytes),
            format_args!("`max_bytes` must be 1 to {MOST_BYTES}, not {}", limits.bytes),
        );
        entry.require(
            (1..=MOST_PIXELS).contains(&limits.pixels),
            format_args!("`max_pixels` must be 1 to {MOST_PIXELS}, not {}", limits.pixels),
        );
        let preprocessor = preprocessor(written.preprocessor.as_ref(), files, entry)?;
        let Some((height, width)) = preprocessor.size() else {
            entry.mistake(
                "`preprocessor` leaves images in different sizes: give `size` a `height` and a `width`, or set `do_center_crop` and \
                 `crop_size`",
            );
            return None;
        };
        let datatype = datatype(input);
        match datatype {
            DataType::Float32 | DataType::Float16 => {}
            DataType::Uint8 => entry.require(
                preprocessor.reads_bytes(),
                "the graph reads UINT8, so `do_rescale` and `do_normalize` in `preprocessor` must be false",
            ),
            other => entry.mistake(format_args!(
                "the graph reads {other}, but images are FP32, FP16 or UINT8: cast them inside the graph"
            )),
        }
        let image = Self { preprocessor, limits, datatype, height, width, decoded: Arc::default() };
        if let Some([_, declared @ ..]) = input.and_then(|input| input.shape.as_deref()) {
            let shape = image.shape();
            let is_declared = |(size, declared): (&usize, &DeclaredSize)| match declared {
                DeclaredSize::Fixed(declared) => size == declared,
                DeclaredSize::Named(_) | DeclaredSize::Unknown => true,
            };
            entry.require(
                shape.len() == declared.len() && shape.iter().zip(declared).all(is_declared),
                format_args!(
                    "`preprocessor` makes tensors of shape {}, but the graph declares {} after the batch dimension: correct its sizes or \
                     `layout`",
                    shape_text(&shape.map(DeclaredSize::Fixed)),
                    shape_text(declared)
                ),
            );
        }
        Some(image)
    }

    /// The largest file, in bytes.
    pub fn max_bytes(&self) -> usize {
        self.limits.bytes
    }

    /// The most pixels: width times height.
    pub fn max_pixels(&self) -> u32 {
        self.limits.pixels
    }

    /// The shape of its tensor.
    pub(crate) fn shape(&self) -> [usize; 3] {
        match self.preprocessor.layout() {
            Layout::Nchw => [3, self.height, self.width],
            Layout::Nhwc => [self.height, self.width, 3],
        }
    }

    /// Reads an image from base64 text.
    ///
    /// # Errors
    ///
    /// Describes the allowed values and what is wrong, as a predicate.
    pub(crate) fn read_base64(&self, text: &str) -> Result<Encoded, String> {
        let file = BASE64.decode(text).map_err(|_| self.problem(&"this is not base64"))?;
        self.read_file(file.into()).map_err(|error| self.problem(&error))
    }

    /// The allowed values and what is wrong, as a predicate.
    pub(crate) fn problem(&self, error: &dyn fmt::Display) -> String {
        format!("{}: {error}", self.allowed())
    }

    /// Reads an image file.
    pub(crate) fn read(&self, file: &[u8]) -> Result<Encoded, ImageError> {
        self.read_file(file.into())
    }

    /// Decoding takes milliseconds, and the cache needs only the digest of the tensor: a file that has been decoded before is decoded
    /// again only if the model runs.
    fn read_file(&self, file: Cow<'_, [u8]>) -> Result<Encoded, ImageError> {
        let digest = Sha256::digest(&file).into();
        if let Some(tensors) = self.decoded.find(&digest) {
            let (image, file) = (self.clone(), file.into_owned());
            let bytes = file.len();
            let make = move || {
                let pixels = image.preprocessor.pixels(&file, image.limits).expect("the same file was decoded before");
                vec![image.tensor(&pixels)]
            };
            return Ok(Encoded::Tensors(Tensors::with_digest(tensors, bytes, make)));
        }
        let pixels = self.preprocessor.pixels(&file, self.limits)?;
        let tensors = Tensors::new(vec![self.tensor(&pixels)]);
        self.decoded.add(digest, tensors.digest());
        Ok(Encoded::Tensors(tensors))
    }

    /// An image whose bytes are these.
    pub(crate) fn drawn(&self, byte: impl Fn(u64) -> u8) -> Encoded {
        let bytes = (0..3 * self.width as u64 * self.height as u64).map(byte).collect();
        let pixels = Pixels::from_rgb(self.width, self.height, bytes).expect("as many bytes");
        Encoded::Tensors(Tensors::new(vec![self.tensor(&pixels)]))
    }

    fn tensor(&self, pixels: &Pixels) -> Arc<Tensor> {
        let bytes = match self.datatype {
            DataType::Uint8 => self.preprocessor.bytes(pixels),
            DataType::Float16 => {
                let numbers = self.preprocessor.floats(pixels).into_iter();
                numbers.flat_map(|number| f16::from_f32(number).to_le_bytes()).collect()
            }
            // Another type is a mistake.
            _ => self.preprocessor.floats(pixels).into_iter().flat_map(f32::to_le_bytes).collect(),
        };
        Tensor::new(self.datatype, self.shape().to_vec(), bytes).expect("as many bytes as its shape").into()
    }

    /// Describes the allowed values, as a predicate.
    pub(crate) fn allowed(&self) -> String {
        let Limits { bytes, pixels } = self.limits;
        format!("must be a JPEG, PNG or WebP image in base64, of at most {bytes} bytes and {pixels} pixels")
    }

    /// What determines the tensor of a file. A file beyond the limits has no answer.
    pub(crate) fn identity(&self) -> String {
        format!("image {IMAGE_VERSION} {} {:?}", self.datatype, self.preprocessor)
    }
}

/// `preprocessor`, a table or a file.
fn preprocessor(written: Option<&PreprocessorEntry>, files: &Files, entry: &mut Entry<'_>) -> Option<Preprocessor> {
    let (name, config) = match written {
        None => {
            entry.mistake(
                "needs `preprocessor = \"preprocessor_config.json\"`, a file of the package, or a table with its keys",
            );
            return None;
        }
        Some(PreprocessorEntry::Keys(keys)) => (String::new(), Ok(keys.clone())),
        Some(PreprocessorEntry::File(name)) => match files.get(name) {
            Some(file) => (format!(" {name:?}"), serde_json::from_slice(file).map_err(|error| error.to_string())),
            None if is_file_name(name) => {
                entry.mistake(format_args!(
                    "`preprocessor` names {name:?}, which is missing from the package: add the file"
                ));
                return None;
            }
            None => {
                entry.mistake(format_args!(
                    "`preprocessor` names {name:?}: name a file in the package's directory, of A-Z, a-z, 0-9, `.`, `_` and `-`"
                ));
                return None;
            }
        },
    };
    let preprocessor = config.and_then(|config| Preprocessor::from_config(config).map_err(|error| error.to_string()));
    preprocessor.map_err(|error| entry.mistake(format_args!("`preprocessor`{name}: {error}"))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{field::Kind, testing::field};

    #[test]
    fn a_file_that_was_decoded_before_is_not_decoded_for_its_digest() {
        let field = field("type = 'image'\npreprocessor = { size = { height = 2, width = 2 }, resample = 2 }");
        let Kind::Image(image) = field.kind() else { panic!("{field:?}") };
        let file = b"no image";
        assert!(image.read(file).is_err());
        // As if it had been one.
        image.decoded.add(Sha256::digest(file).into(), [7; 16]);
        let Ok(Encoded::Tensors(tensors)) = image.read(file) else { panic!("it is decoded") };
        assert_eq!(tensors.digest(), [7; 16]);
        assert_eq!(tensors.bytes(), file.len(), "the memory of the file is counted");
        assert!(image.read(b"another").is_err());
    }
}
