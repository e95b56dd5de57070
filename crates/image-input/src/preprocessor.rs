use serde::Deserialize;

use crate::{
    decode::{self, Limits},
    error::ImageError,
    pixels::{CHANNELS, Pixels},
    resample::{self, Filter},
};

/// The longest side of a resized or cropped image, in pixels.
pub(crate) const MAX_SIDE: usize = 4096;

/// What is done with an image before the model reads it: [`Preprocessor::from_config`] reads it from a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocessor {
    pub(crate) resize: Option<(Size, Filter)>,
    /// Height and width.
    pub(crate) crop: Option<(usize, usize)>,
    pub(crate) normalisation: Normalisation,
    pub(crate) layout: Layout,
}

/// `size`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// `{ height, width }`, whatever that does to the proportions.
    Exactly {
        /// In pixels.
        height: usize,
        /// In pixels.
        width: usize,
    },
    /// `{ shortest_edge }`: both sides in proportion.
    ShortestEdge(usize),
}

/// Which dimension of the tensor the channels are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Layout {
    /// Channels, rows, columns: planes of one colour.
    #[default]
    #[serde(rename = "NCHW")]
    Nchw,
    /// Rows, columns, channels: as in an image file.
    #[serde(rename = "NHWC")]
    Nhwc,
}

/// `do_rescale` and `do_normalize`
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Normalisation {
    pub(crate) factor: Option<f64>,
    pub(crate) mean_std: Option<([f64; 3], [f64; 3])>,
}

impl Preprocessor {
    /// The height and width of every image, or `None` if they depend on the file.
    pub fn size(&self) -> Option<(usize, usize)> {
        self.crop.or(match self.resize {
            Some((Size::Exactly { height, width }, _)) => Some((height, width)),
            _ => None,
        })
    }

    /// The order of the tensor's dimensions.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Whether the model reads the pixels as they are, so that its input can be `uint8`.
    pub fn reads_bytes(&self) -> bool {
        self.normalisation.factor.is_none() && self.normalisation.mean_std.is_none()
    }

    /// Decodes, orients, resizes and crops an image.
    ///
    /// # Errors
    ///
    /// If the file exceeds the limits, or is not an image that can be decoded.
    pub fn pixels(&self, file: &[u8], limits: Limits) -> Result<Pixels, ImageError> {
        let mut pixels = decode::decode(file, limits)?;
        if let Some((size, filter)) = self.resize {
            let (height, width) = match size {
                Size::Exactly { height, width } => (height, width),
                Size::ShortestEdge(edge) => in_proportion(&pixels, edge)?,
            };
            pixels = resample::resize(pixels, width, height, filter);
        }
        Ok(match self.crop {
            Some((height, width)) => pixels.center_crop(width, height),
            None => pixels,
        })
    }

    /// The tensor, rescaled and normalised, in [`Self::layout`].
    pub fn floats(&self, pixels: &Pixels) -> Vec<f32> {
        let tables: [_; CHANNELS] = std::array::from_fn(|channel| self.normalisation.table(channel));
        self.arranged(pixels, |channel, value| tables[channel][usize::from(value)])
    }

    /// The tensor of a model that [`Self::reads_bytes`], in [`Self::layout`].
    pub fn bytes(&self, pixels: &Pixels) -> Vec<u8> {
        self.arranged(pixels, |_, value| value)
    }

    fn arranged<T>(&self, pixels: &Pixels, number: impl Fn(usize, u8) -> T) -> Vec<T> {
        let pixels = pixels.rgb.chunks_exact(CHANNELS);
        match self.layout {
            Layout::Nchw => (0..CHANNELS)
                .flat_map(|channel| pixels.clone().map(move |pixel| (channel, pixel[channel])))
                .map(|(channel, value)| number(channel, value))
                .collect(),
            Layout::Nhwc => pixels
                .flat_map(|pixel| [(0, pixel[0]), (1, pixel[1]), (2, pixel[2])])
                .map(|(channel, value)| number(channel, value))
                .collect(),
        }
    }
}

impl Normalisation {
    /// What each value of a channel becomes. `transformers` rescales in float64, rounds to float32, and normalises in float32.
    fn table(self, channel: usize) -> [f32; 256] {
        std::array::from_fn(|value| {
            let rescaled = self.factor.map_or(value as f32, |factor| (value as f64 * factor) as f32);
            self.mean_std.map_or(rescaled, |(mean, std)| (rescaled - mean[channel] as f32) / std[channel] as f32)
        })
    }
}

/// Height and width of the image with this shortest edge. The longer one is rounded down.
fn in_proportion(pixels: &Pixels, edge: usize) -> Result<(usize, usize), ImageError> {
    let (short, long) = (pixels.width.min(pixels.height), pixels.width.max(pixels.height));
    let long = edge * long / short;
    if long > MAX_SIDE {
        return Err(ImageError::TooLong { limit: MAX_SIDE });
    }
    Ok(if pixels.width <= pixels.height { (long, edge) } else { (edge, long) })
}
