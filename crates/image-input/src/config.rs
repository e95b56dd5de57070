//! `preprocessor_config.json` as `transformers` writes it.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    preprocessor::{Layout, MAX_SIDE, Normalisation, Preprocessor, Size},
    resample::Filter,
};

/// What is wrong with a configuration: the key, and what it must be instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// The image processors of `transformers` that do what these keys say and nothing else, without `ImageProcessor`, `ImageProcessorFast` or
/// `FeatureExtractor`.
const PROCESSORS: [&str; 10] =
    ["Beit", "Bit", "ChineseCLIP", "CLIP", "ConvNext", "DeiT", "MobileNetV1", "MobileNetV2", "Siglip", "ViT"];

/// Keys that change no pixel here.
const IGNORED: [&str; 8] = [
    "_processor_class",
    "_valid_processor_keys",
    "default_to_square",
    "device",
    "disable_grouping",
    "input_data_format",
    "processor_class",
    "return_tensors",
];

#[derive(Deserialize)]
struct Written {
    image_processor_type: Option<String>,
    feature_extractor_type: Option<String>,
    do_convert_rgb: Option<bool>,
    do_resize: Option<bool>,
    size: Option<SizeEntry>,
    resample: Option<u64>,
    crop_pct: Option<f64>,
    do_center_crop: Option<bool>,
    crop_size: Option<SizeEntry>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
    do_normalize: Option<bool>,
    image_mean: Option<Channels>,
    image_std: Option<Channels>,
    layout: Option<Layout>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// `size` and `crop_size`: older versions wrote a number.
#[derive(Clone, Copy, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a size must have `height` and `width`, or `shortest_edge`, in pixels"
)]
enum SizeEntry {
    Number(usize),
    Sides { height: usize, width: usize },
    Shortest { shortest_edge: usize },
}

#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Channels {
    One(f64),
    Three([f64; 3]),
}

impl Preprocessor {
    /// Reads a configuration: the keys of `preprocessor_config.json`, and `layout`.
    ///
    /// # Errors
    ///
    /// If a key is missing or unknown, or its value is not supported.
    pub fn from_config(config: Map<String, Value>) -> Result<Self, ConfigError> {
        let written: Written =
            serde_json::from_value(Value::Object(config)).map_err(|error| ConfigError(error.to_string()))?;
        written.check_others()?;
        let (resize, mut crop) = written.resize()?;
        if written.do_center_crop.unwrap_or(false) {
            let size = written.crop_size.ok_or_else(|| missing("crop_size", "do_center_crop"))?;
            crop = match size {
                SizeEntry::Number(side) => Some((side, side)),
                SizeEntry::Sides { height, width } => Some((height, width)),
                SizeEntry::Shortest { .. } => {
                    return Err(ConfigError("`crop_size` must have `height` and `width`".to_owned()));
                }
            };
        }
        let sides = resize.into_iter().flat_map(|(size, _)| match size {
            Size::Exactly { height, width } => [height, width],
            Size::ShortestEdge(edge) => [edge, edge],
        });
        if let Some(side) = sides
            .chain(crop.into_iter().flat_map(|(height, width)| [height, width]))
            .find(|side| !(1..=MAX_SIDE).contains(side))
        {
            return Err(ConfigError(format!("sizes must be 1 to {MAX_SIDE} pixels, not {side}")));
        }
        Ok(Self { resize, crop, normalisation: written.normalisation()?, layout: written.layout.unwrap_or_default() })
    }
}

impl Written {
    fn check_others(&self) -> Result<(), ConfigError> {
        for name in [&self.image_processor_type, &self.feature_extractor_type].into_iter().flatten() {
            let is_known = ["ImageProcessor", "ImageProcessorFast", "FeatureExtractor"]
                .iter()
                .any(|suffix| name.strip_suffix(suffix).is_some_and(|family| PROCESSORS.contains(&family)));
            if !is_known {
                return Err(ConfigError(format!("the image processor {name:?} is not supported")));
            }
        }
        if self.do_convert_rgb == Some(false) {
            return Err(ConfigError(
                "`do_convert_rgb = false` is not supported: images are always converted to RGB".to_owned(),
            ));
        }
        let does_something = |key: &str, value: &Value| match value {
            Value::Null | Value::Bool(false) => false,
            value => !IGNORED.contains(&key) && (key, value.as_str()) != ("data_format", Some("channels_first")),
        };
        match self.others.iter().find(|(key, value)| does_something(key, value)) {
            Some((key, _)) => Err(ConfigError(format!("`{key}` is not supported"))),
            None => Ok(()),
        }
    }

    /// How to resize, and to which height and width to crop because of that.
    #[expect(clippy::type_complexity, reason = "two results that only the caller has a name for")]
    fn resize(&self) -> Result<(Option<(Size, Filter)>, Option<(usize, usize)>), ConfigError> {
        if !self.do_resize.unwrap_or(self.size.is_some()) {
            return Ok((None, None));
        }
        let size = self.size.ok_or_else(|| missing("size", "do_resize"))?;
        let number = self.resample.ok_or_else(|| missing("resample", "do_resize"))?;
        let filter = Filter::from_number(number)
            .ok_or_else(|| ConfigError(format!("`resample` must be 0 (nearest), 1 (lanczos), 2 (bilinear), 3 (bicubic), 4 (box) or 5 (hamming), not {number}")))?;
        let (size, crop) = match (size, self.crop_pct) {
            (SizeEntry::Sides { height, width }, None) => (Size::Exactly { height, width }, None),
            (SizeEntry::Shortest { shortest_edge }, None) => (Size::ShortestEdge(shortest_edge), None),
            // As ConvNextImageProcessor does it.
            (SizeEntry::Shortest { shortest_edge: edge }, Some(share)) if edge < 384 && share > 0.0 && share <= 1.0 => {
                (Size::ShortestEdge((edge as f64 / share) as usize), Some((edge, edge)))
            }
            (SizeEntry::Shortest { shortest_edge: edge }, Some(_)) if edge >= 384 => {
                (Size::Exactly { height: edge, width: edge }, None)
            }
            (_, Some(_)) => {
                return Err(ConfigError(
                    "`crop_pct` must be above 0 and at most 1, and needs `size` with `shortest_edge`".to_owned(),
                ));
            }
            // Some processors take it for the shortest edge, others for both sides.
            (SizeEntry::Number(side), None) => {
                return Err(ConfigError(format!(
                    "`size = {side}` is ambiguous: give `height` and `width`, or `shortest_edge`"
                )));
            }
        };
        Ok((Some((size, filter)), crop))
    }

    fn normalisation(&self) -> Result<Normalisation, ConfigError> {
        let factor = self.do_rescale.unwrap_or(true).then(|| self.rescale_factor.unwrap_or(1.0 / 255.0));
        let has_numbers = self.image_mean.is_some() && self.image_std.is_some();
        let mean_std = if self.do_normalize.unwrap_or(has_numbers) {
            let mean = self.image_mean.ok_or_else(|| missing("image_mean", "do_normalize"))?.each();
            let std = self.image_std.ok_or_else(|| missing("image_std", "do_normalize"))?.each();
            if std.iter().any(|std| *std as f32 == 0.0) {
                return Err(ConfigError("`image_std` must not be 0".to_owned()));
            }
            Some((mean, std))
        } else {
            None
        };
        Ok(Normalisation { factor, mean_std })
    }
}

impl Channels {
    fn each(self) -> [f64; 3] {
        match self {
            Self::One(number) => [number; 3],
            Self::Three(numbers) => numbers,
        }
    }
}

fn missing(key: &str, because: &str) -> ConfigError {
    ConfigError(format!("`{key}` is missing, which `{because}` needs"))
}
