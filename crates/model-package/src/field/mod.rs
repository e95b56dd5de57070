//! One field of the input: the values that a request may send, the columns that the model reads, and the error for any other value.

mod array;
mod boolean;
mod category;
mod columns;
mod date;
mod decoded_files;
mod definition;
mod encoded;
mod image;
mod missing;
mod number;
mod reason;
mod tensors;
mod text;
mod value;

use serde_json::Value;

use self::reason::Reason;
pub use self::{
    array::Array,
    category::{Category, CategoryValue},
    columns::Encoding,
    date::Date,
    image::Image,
    number::Number,
    text::Text,
};
pub(crate) use self::{encoded::Encoded, tensors::Tensors, text::default_inputs};
pub use super::{bound::Bound, json::Dimension};
use super::{declaration::Size, precision::Precision};

/// Limit for the names of fields, values and examples, in characters.
pub(crate) const MAX_NAME_LENGTH: usize = 200;

#[derive(Clone, Debug)]
pub struct Field {
    name: String,
    description: String,
    unit: Option<String>,
    example: Option<Value>,
    /// The type of the graph's input.
    precision: Precision,
    kind: Kind,
    encoding: Encoding,
    missing: Option<Encoded>,
    /// The input of the graph that it feeds, if `model.toml` names it.
    input: Option<String>,
    reason: Option<Reason>,
}

/// The values that a field accepts.
#[derive(Clone, Debug)]
pub enum Kind {
    Number(Number),
    Boolean,
    Category(Category),
    Date(Date),
    Array(Array),
    Text(Text),
    Image(Image),
}

impl Field {
    /// The member's name in a request.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Markdown.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// A valid value for the documentation.
    pub fn example(&self) -> Option<&Value> {
        self.example.as_ref()
    }

    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    pub fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }

    /// The type of number that the model reads.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Whether every request must contain it.
    pub fn is_required(&self) -> bool {
        self.missing.is_none()
    }

    /// The value that the model reads if a request leaves the field out. `None` if the field is required.
    pub(crate) fn missing(&self) -> Option<&Encoded> {
        self.missing.as_ref()
    }

    /// The band that contains a number. `None` if the field has no bands.
    pub(crate) fn band_of(&self, number: f64) -> Option<usize> {
        match &self.kind {
            Kind::Number(kind) => kind.bands().map(|bands| bands.partition_point(|limit| number >= *limit)),
            Kind::Boolean | Kind::Category(_) | Kind::Date(_) | Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => None,
        }
    }

    /// Whether it feeds inputs of the graph alone, rather than columns of one.
    pub fn is_tensor(&self) -> bool {
        match &self.kind {
            Kind::Array(_) | Kind::Image(_) => true,
            Kind::Text(text) => text.is_tensor(),
            Kind::Number(_) | Kind::Boolean | Kind::Category(_) | Kind::Date(_) => false,
        }
    }

    /// Whether cache keys contain a digest of the value instead of the value.
    pub(crate) fn has_digest(&self) -> bool {
        matches!(self.kind, Kind::Array(_) | Kind::Text(_) | Kind::Image(_))
    }

    /// The shape of its tensors, without the batch dimension, to try a model on. Empty for a field that is not a tensor.
    pub(crate) fn usual_shape(&self) -> Vec<usize> {
        match &self.kind {
            Kind::Array(array) => array.usual_shape().to_vec(),
            Kind::Text(text) => text.usual_shape(),
            Kind::Image(image) => image.shape().to_vec(),
            Kind::Number(_) | Kind::Boolean | Kind::Category(_) | Kind::Date(_) => Vec::new(),
        }
    }

    /// Whether the graph's inputs that it feeds have a batch dimension.
    pub(crate) fn is_batched(&self) -> bool {
        match &self.kind {
            Kind::Array(array) => array.is_batched(),
            Kind::Number(_) | Kind::Boolean | Kind::Category(_) | Kind::Date(_) | Kind::Text(_) | Kind::Image(_) => {
                true
            }
        }
    }

    /// The shape of its tensors, without the batch dimension. Empty for a field that is not a tensor.
    pub(crate) fn tensor_shape(&self) -> Vec<Size<'_>> {
        let size = |size| match size {
            &Dimension::Fixed(size) => Size::Fixed(size),
            Dimension::Named(name) => Size::Named(name),
        };
        match &self.kind {
            Kind::Array(array) => array.shape().iter().map(size).collect(),
            Kind::Text(text) => text.tensor_shape(),
            Kind::Image(image) => image.shape().map(Size::Fixed).to_vec(),
            Kind::Number(_) | Kind::Boolean | Kind::Category(_) | Kind::Date(_) => Vec::new(),
        }
    }

    /// Everything about this field that a prediction can depend on, for the model's fingerprint.
    pub fn identity(&self) -> String {
        let Self { kind, encoding, missing, input, .. } = self;
        // Without `input`, the graph decides.
        let input = input.as_ref().map(|input| format!(" for {input:?}")).unwrap_or_default();
        let kind = match kind {
            Kind::Number(number) => format!("{:?}", number.bands()),
            Kind::Boolean => "boolean".to_owned(),
            Kind::Category(category) => {
                let names: Vec<_> = category.values().iter().map(|value| &value.name).collect();
                format!("{names:?}")
            }
            Kind::Date(date) => if date.has_time() { "datetime" } else { "date" }.to_owned(),
            // A request with more items than `max_items` has no answer.
            Kind::Array(array) => format!("array {:?} {}", array.shape(), array.is_batched()),
            Kind::Text(text) => text.identity().to_owned(),
            Kind::Image(image) => image.identity(),
        };
        format!("{kind} {encoding:?} {missing:?}{input}")
    }
}

/// 1 to [`MAX_NAME_LENGTH`] characters, none of them a control character.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= MAX_NAME_LENGTH && !name.chars().any(char::is_control)
}
