//! One field of the input: the values that a request may send, the columns that the model reads, and the error for any other value.

mod array;
mod boolean;
mod category;
mod image;
mod number;
mod tensors;
mod text;

use std::{borrow::Cow, sync::Arc};

use serde::de::DeserializeSeed;
use serde_json::Value;

pub use self::{
    array::Array,
    category::{Category, CategoryValue},
    image::Image,
    number::Number,
    text::Text,
};
pub(crate) use self::{tensors::Tensors, text::default_inputs};
pub use super::{bound::Bound, json::Dimension};
use super::{
    contributions::Reason,
    declaration::TensorDeclaration,
    feeds::Size,
    files::Files,
    json::{ArrayFormat, Json, JsonSeed},
    manifest::{EncodingEntry, FieldEntry, FieldType, MissingEntry},
    mistake::Entry,
    precision::Precision,
    tensor::{DataType, Tensor},
};

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
    Array(Array),
    Text(Text),
    Image(Image),
}

/// How a value becomes input columns of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One column: the number, or the code.
    Column,
    /// One column per code; this many codes.
    OneHot(usize),
}

/// A valid value, reduced to the distinctions that the model makes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Encoded {
    /// Finite, for a graph that reads float32.
    Number(f32),
    /// Finite, for a graph that reads float64.
    Double(f64),
    /// The position of a category, the number of a band, or 0 and 1 for a boolean.
    Code(u16),
    Nan,
    /// A row of zeros: an ignored unknown category, or a missing one.
    Zeros,
    /// The value of a field that feeds inputs of the graph alone, or the columns of a text that are not zero and their values.
    Tensors(Arc<Tensors>),
}

impl Encoded {
    /// The nearest number of this type. `None` if it is not finite. Negative zero becomes zero, so that equal numbers are the same text
    /// in a cache key.
    pub(crate) fn number(number: f64, precision: Precision) -> Option<Self> {
        let nearest = precision.round(number) + 0.0;
        nearest.is_finite().then_some(match precision {
            Precision::Float32 => Self::Number(nearest as f32),
            Precision::Float64 => Self::Double(nearest),
        })
    }

    /// The bytes of its tensors.
    pub(crate) fn tensor_bytes(&self) -> usize {
        match self {
            Self::Tensors(tensors) => tensors.as_slice().iter().map(|tensor| tensor.bytes().len()).sum(),
            Self::Number(_) | Self::Double(_) | Self::Code(_) | Self::Nan | Self::Zeros => 0,
        }
    }

    /// The tensor for the field's input of the graph at this position.
    pub(crate) fn tensor(&self, part: usize) -> Option<&Tensor> {
        match self {
            Self::Tensors(tensors) => tensors.as_slice().get(part).map(AsRef::as_ref),
            Self::Number(_) | Self::Double(_) | Self::Code(_) | Self::Nan | Self::Zeros => None,
        }
    }
}

impl Field {
    /// Checks an entry of `[[fields]]`, for these inputs of the graph, the first of this type. `None` if it has mistakes, which are added
    /// to `entry`.
    pub(crate) fn new(
        written: &FieldEntry,
        datatype: DataType,
        inputs: &[&TensorDeclaration],
        files: &Files,
        entry: &mut Entry<'_>,
    ) -> Option<Self> {
        entry.require(
            is_name(&written.name),
            format_args!("`name` must be 1 to {MAX_NAME_LENGTH} printable characters"),
        );
        let is_a = |types: &[FieldType]| types.contains(&written.r#type);
        let (is_number, is_string) = (is_a(&[FieldType::Number, FieldType::Integer]), is_a(&[FieldType::String]));
        let (is_array, is_text, is_image) =
            (is_a(&[FieldType::Array]), is_a(&[FieldType::Text]), is_a(&[FieldType::Image]));
        for (key, given, applies, to) in [
            ("minimum", written.minimum.is_some(), is_number || is_array, "numbers, integers and arrays"),
            (
                "exclusive_minimum",
                written.exclusive_minimum.is_some(),
                is_number || is_array,
                "numbers, integers and arrays",
            ),
            ("maximum", written.maximum.is_some(), is_number || is_array, "numbers, integers and arrays"),
            (
                "exclusive_maximum",
                written.exclusive_maximum.is_some(),
                is_number || is_array,
                "numbers, integers and arrays",
            ),
            ("bands", written.bands.is_some(), is_number, "numbers and integers"),
            ("values", written.values.is_some(), is_string, "strings"),
            ("unknown", written.unknown.is_some(), is_string, "strings"),
            (
                "encoding",
                written.encoding.is_some(),
                is_string || written.bands.is_some(),
                "strings and fields with `bands`",
            ),
            ("missing", written.missing.is_some(), !written.required, "fields with `required = false`"),
            (
                "required",
                !written.required,
                !is_array && !is_text && !is_image,
                "numbers, integers, booleans and strings",
            ),
            ("shape", written.shape.is_some(), is_array, "arrays"),
            ("max_items", written.max_items.is_some(), is_array, "arrays"),
            ("preprocessor", written.preprocessor.is_some(), is_image, "images"),
            ("max_bytes", written.max_bytes.is_some(), is_image, "images"),
            ("max_pixels", written.max_pixels.is_some(), is_image, "images"),
            ("max_length", written.max_length.is_some(), is_text, "texts"),
            ("tokenizer", written.tokenizer.is_some(), is_text, "texts"),
            ("vectorizer", written.vectorizer.is_some(), is_text, "texts"),
            ("inputs", written.inputs.is_some(), is_text, "texts"),
            ("max_tokens", written.max_tokens.is_some(), written.tokenizer.is_some(), "texts with a `tokenizer`"),
            ("special_tokens", written.special_tokens, written.tokenizer.is_some(), "texts with a `tokenizer`"),
        ] {
            entry.require(!given || applies, format_args!("`{key}` applies only to {to}: remove it"));
        }
        let kind = match written.r#type {
            FieldType::Number | FieldType::Integer => Kind::Number(Number::new(written, datatype, entry)?),
            FieldType::Boolean => Kind::Boolean,
            FieldType::String => Kind::Category(Category::new(written, entry)?),
            FieldType::Array => Kind::Array(Array::new(written, inputs.first().copied(), entry)?),
            FieldType::Text => Kind::Text(Text::new(written, inputs, files, entry)?),
            FieldType::Image => Kind::Image(Image::new(written, inputs.first().copied(), files, entry)?),
        };
        let bands = match &kind {
            Kind::Number(number) => number.bands().map(|limits| limits.len() + 1),
            Kind::Boolean | Kind::Category(_) | Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => None,
        };
        let codes = match &kind {
            Kind::Number(number) => number.bands().map(|limits| limits.len() + 1),
            Kind::Boolean | Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => None,
            Kind::Category(category) => Some(category.values().len()),
        };
        let encoding = match (written.encoding, codes) {
            (Some(EncodingEntry::OneHot), Some(codes)) => Encoding::OneHot(codes),
            // One-hot for a field without codes is among the mistakes.
            (Some(EncodingEntry::OneHot), None) | (Some(EncodingEntry::Ordinal) | None, _) => Encoding::Column,
        };
        let field = Self {
            name: written.name.clone(),
            description: written.description.trim().to_owned(),
            unit: written.unit.clone(),
            example: written.example.clone(),
            precision: datatype.precision(),
            missing: None,
            input: written.input.clone(),
            reason: written.reason.as_ref().map(|reason| Reason::new(reason, bands, entry)),
            kind,
            encoding,
        };
        let missing = if written.required || is_array {
            None
        } else {
            Some(field.read_missing(written.missing.as_ref(), entry)?)
        };
        let field = Self { missing, ..field };
        if !field.is_tensor() {
            field.check_datatype(datatype, entry);
        }
        // Without the graph, neither the shape nor the type of an array is known.
        let is_known = !field.is_tensor() || !inputs.is_empty();
        if let Some(example) = field.example.as_ref().filter(|_| is_known)
            && field.read_value(example).is_none()
        {
            match (&field.kind, example) {
                // A file would fill the message.
                (Kind::Image(_), Value::String(text)) => {
                    entry.mistake(format_args!("`example` {}", field.problem(&Json::Text(text.as_str().into()))));
                }
                _ => entry.mistake(format_args!("`example` is {example} but {}", field.allowed())),
            }
        }
        entry.has_no_mistakes().then_some(field)
    }

    /// Checks that the columns are numbers of the type of the graph's input.
    fn check_datatype(&self, datatype: DataType, entry: &mut Entry<'_>) {
        let name = datatype.name();
        if datatype == DataType::Float16 {
            entry.mistake(
                "feeds an input of float16, which only arrays can: declare the input as float32, and cast it inside the graph",
            );
        }
        let Some((smallest, largest)) = datatype.integers() else { return };
        let is_number = match &self.kind {
            Kind::Number(number) => !number.is_integer() && number.bands().is_none(),
            Kind::Text(_) => true,
            Kind::Boolean | Kind::Category(_) | Kind::Array(_) | Kind::Image(_) => false,
        };
        entry.require(
            !is_number,
            format_args!(
                "feeds an input of {name}, which holds only integers: use `type = \"integer\"`, or declare the input as float32 or float64"
            ),
        );
        let codes = match &self.kind {
            _ if self.encoding != Encoding::Column => 2,
            Kind::Number(number) => number.bands().map_or(0, |limits| limits.len() + 1),
            Kind::Boolean => 2,
            Kind::Category(category) => category.values().len(),
            Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => 0,
        };
        entry.require(
            codes as f64 <= largest + 1.0,
            format_args!("has {codes} codes, but feeds an input of {name}, which holds at most {}", largest + 1.0),
        );
        let is_held = match self.missing {
            Some(Encoded::Nan) => false,
            Some(Encoded::Double(number)) => number.fract() == 0.0 && (smallest..=largest).contains(&number),
            _ => true,
        };
        entry.require(
            is_held,
            format_args!("`missing` must be an integer that {name} holds, the type of the graph's input"),
        );
    }

    /// Checks `missing`: the value that the model reads if a request leaves the field out.
    fn read_missing(&self, written: Option<&MissingEntry>, entry: &mut Entry<'_>) -> Option<Encoded> {
        let missing = match (written, self.encoding) {
            (None, _)
            | (Some(MissingEntry::Zeros), Encoding::Column)
            | (Some(MissingEntry::Number(_)), Encoding::OneHot(_)) => None,
            (Some(MissingEntry::Nan), _) => Some(Encoded::Nan),
            (Some(MissingEntry::Zeros), Encoding::OneHot(_)) => Some(Encoded::Zeros),
            (Some(MissingEntry::Number(number)), Encoding::Column) => self.missing_number(*number),
            (Some(MissingEntry::Value(name)), _) => match &self.kind {
                Kind::Category(category) => category.code(name).map(Encoded::Code),
                Kind::Number(_) | Kind::Boolean | Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => None,
            },
        };
        if missing.is_none() {
            let allowed = match (&self.kind, self.encoding) {
                (Kind::Category(_), Encoding::OneHot(_)) => {
                    "\"nan\", \"zeros\", or { value = \"…\" } with one of `values`"
                }
                (Kind::Category(_), Encoding::Column) => "\"nan\", a number, or { value = \"…\" } with one of `values`",
                (_, Encoding::OneHot(_)) => "\"nan\" or \"zeros\"",
                (Kind::Number(number), Encoding::Column) if number.bands().is_some() => "\"nan\"",
                (_, Encoding::Column) => match self.precision {
                    Precision::Float32 => "\"nan\" or a number within the range of float32",
                    Precision::Float64 => "\"nan\" or a finite number",
                },
            };
            entry.mistake(format_args!(
                "`required = false` needs `missing`, the value that the model reads for an absent field: {allowed}"
            ));
        }
        missing
    }

    /// The value of a number in `missing`. A number that equals a code becomes the code, so that equal inputs have equal values.
    fn missing_number(&self, number: f64) -> Option<Encoded> {
        let codes = match &self.kind {
            Kind::Number(kind) if kind.bands().is_some() => return None,
            Kind::Number(_) | Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => 0..0,
            Kind::Boolean => 0..2,
            // The cast is lossless: a category has at most 10,000 values.
            Kind::Category(category) => 0..category.values().len() as u16,
        };
        let number = self.precision.round(number);
        let code = Some(number as u16).filter(|code| codes.contains(code) && f64::from(*code) == number);
        code.map(Encoded::Code).or_else(|| Encoded::number(number, self.precision))
    }

    /// Reads the value of a request's member. `None` if it is not allowed.
    pub(crate) fn read(&self, value: &Json<'_>) -> Option<Encoded> {
        if let Json::Null = value {
            return self.missing.clone();
        }
        match &self.kind {
            Kind::Number(numbers) => {
                match value {
                    Json::Number(number) => numbers.read(*number),
                    // Another integer has the same nearest double.
                    Json::LargeInteger(number) if !numbers.is_integer() => numbers.read(*number as f64),
                    _ => None,
                }
            }
            Kind::Boolean => {
                if let Json::Bool(value) = value {
                    Some(Encoded::Code(u16::from(*value)))
                } else {
                    None
                }
            }
            Kind::Category(category) => {
                if let Json::Text(text) = value {
                    category.read(text, self.missing.as_ref())
                } else {
                    None
                }
            }
            Kind::Image(image) => {
                if let Json::Text(text) = value {
                    image.read_base64(text).ok()
                } else {
                    None
                }
            }
            Kind::Text(text) => {
                if let Json::Text(value) = value {
                    text.read(value).map(Encoded::Tensors)
                } else {
                    None
                }
            }
            Kind::Array(_) => {
                if let Json::Tensor(tensor) = value {
                    Some(Encoded::Tensors(Tensors::new(vec![Arc::clone(tensor)])))
                } else {
                    None
                }
            }
        }
    }

    /// The format in which a request's member becomes a tensor while it is parsed.
    pub(crate) fn array_format(&self) -> Option<&ArrayFormat> {
        match &self.kind {
            Kind::Array(array) => Some(&array.format),
            Kind::Number(_) | Kind::Boolean | Kind::Category(_) | Kind::Text(_) | Kind::Image(_) => None,
        }
    }

    /// Whether it feeds inputs of the graph alone, rather than columns of one.
    pub fn is_tensor(&self) -> bool {
        match &self.kind {
            Kind::Array(_) | Kind::Image(_) => true,
            Kind::Text(text) => text.is_tensor(),
            Kind::Number(_) | Kind::Boolean | Kind::Category(_) => false,
        }
    }

    /// How many bytes of a body take over a millisecond to read.
    pub(crate) fn slow_from(&self) -> usize {
        match &self.kind {
            Kind::Image(_) => 0,
            Kind::Text(text) => text.slow_from(),
            Kind::Number(_) | Kind::Boolean | Kind::Category(_) | Kind::Array(_) => usize::MAX,
        }
    }

    /// Whether a cache key has the digest of its value, rather than the value.
    pub(crate) fn has_digest(&self) -> bool {
        matches!(self.kind, Kind::Array(_) | Kind::Text(_) | Kind::Image(_))
    }

    /// A shape of the tensor for its input of the graph at this position, to try a model on. Empty for a field that is not a tensor.
    pub(crate) fn usual_shape(&self, _part: usize) -> Vec<usize> {
        match &self.kind {
            Kind::Array(array) => array.usual_shape().to_vec(),
            Kind::Text(text) => text.usual_shape(),
            Kind::Image(image) => image.shape().to_vec(),
            Kind::Number(_) | Kind::Boolean | Kind::Category(_) => Vec::new(),
        }
    }

    /// Whether the graph's inputs that it feeds have a dimension for the batch.
    pub(crate) fn is_batched(&self) -> bool {
        match &self.kind {
            Kind::Array(array) => array.is_batched(),
            Kind::Number(_) | Kind::Boolean | Kind::Category(_) | Kind::Text(_) | Kind::Image(_) => true,
        }
    }

    /// The shape of the tensor for its input of the graph at this position. Empty for a field that is not a tensor.
    pub(crate) fn tensor_shape(&self, _part: usize) -> Vec<Size<'_>> {
        let size = |size| match size {
            &Dimension::Fixed(size) => Size::Fixed(size),
            Dimension::Named(name) => Size::Named(name),
        };
        match &self.kind {
            Kind::Array(array) => array.shape().iter().map(size).collect(),
            Kind::Text(text) => text.tensor_shape(),
            Kind::Image(image) => image.shape().map(Size::Fixed).to_vec(),
            Kind::Number(_) | Kind::Boolean | Kind::Category(_) => Vec::new(),
        }
    }

    /// Whether a request may send this value.
    pub fn accepts(&self, value: &Value) -> bool {
        self.read_value(value).is_some()
    }

    fn read_value(&self, value: &Value) -> Option<Encoded> {
        let text = value.to_string();
        let mut json = serde_json::Deserializer::from_str(&text);
        let json = match self.array_format() {
            Some(format) => format.deserialize(&mut json),
            None => JsonSeed::new(None).deserialize(&mut json),
        };
        self.read(&json.ok()?)
    }

    /// The value that the model reads if a request leaves the field out. `None` if the field is required.
    pub(crate) fn missing(&self) -> Option<&Encoded> {
        self.missing.as_ref()
    }

    /// Describes the allowed values, as a predicate: `must be an integer from 18 to 120`.
    pub(crate) fn allowed(&self) -> Cow<'static, str> {
        let allowed: Cow<'static, str> = match &self.kind {
            Kind::Number(number) => number.allowed().into(),
            Kind::Boolean => "must be true or false".into(),
            Kind::Category(category) => category.allowed().into(),
            Kind::Array(array) => array.allowed().into(),
            Kind::Text(text) => text.allowed().into(),
            Kind::Image(image) => image.allowed().into(),
        };
        match self.missing {
            Some(_) => format!("{allowed}, or null").into(),
            None => allowed,
        }
    }

    /// Describes why a value that [`Self::read`] refuses is not allowed, as a predicate.
    pub(crate) fn problem(&self, value: &Json<'_>) -> Cow<'static, str> {
        match (&self.kind, value) {
            (Kind::Image(image), Json::Text(text)) => match image.read_base64(text) {
                Ok(_) => self.allowed(),
                Err(problem) => problem.into(),
            },
            _ => self.allowed(),
        }
    }

    /// Describes what a request sent in place of an allowed value.
    pub(crate) fn received(&self, value: &Json<'_>) -> String {
        match (&self.kind, value) {
            (Kind::Text(_) | Kind::Image(_), Json::Text(text)) => {
                format!("a string of {} characters", text.chars().count())
            }
            _ => value.to_string(),
        }
    }

    /// The work of [`Self::suggestion`], in pairs of characters that are compared.
    pub(crate) fn suggestion_work(&self, value: &Json<'_>) -> usize {
        match &self.kind {
            Kind::Number(_) | Kind::Boolean | Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => 0,
            Kind::Category(category) => category.suggestion_work(value),
        }
    }

    /// Suggests a valid value in place of an invalid one, if there is a likely one: `0.25 for 25 %`.
    pub(crate) fn suggestion(&self, value: &Json<'_>) -> Option<String> {
        match &self.kind {
            Kind::Number(number) => number.suggestion(value, self.unit.as_deref()),
            Kind::Boolean => boolean::suggestion(value).map(|meant| meant.to_string()),
            Kind::Category(category) => category.suggestion(value),
            Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => None,
        }
    }

    /// Appends the [`Self::width`] columns that the model reads. Each is a number of the graph's type.
    pub(crate) fn encode(&self, value: &Encoded, columns: &mut Vec<f64>) {
        let number = match *value {
            Encoded::Number(number) => number.into(),
            Encoded::Double(number) => number,
            Encoded::Code(code) => code.into(),
            Encoded::Nan => f64::NAN,
            Encoded::Zeros => 0.0,
            Encoded::Tensors(ref tensors) => {
                let first = columns.len();
                columns.resize(first + self.width(), 0.0);
                text::scatter(tensors, &mut columns[first..]);
                return;
            }
        };
        match (self.encoding, value) {
            (Encoding::Column, _) => columns.push(number),
            (Encoding::OneHot(codes), Encoded::Code(code)) => {
                let first = columns.len();
                columns.resize(first + codes, 0.0);
                columns[first + usize::from(*code)] = 1.0;
            }
            (Encoding::OneHot(codes), _) => columns.extend(std::iter::repeat_n(number, codes)),
        }
    }

    /// The names of its columns in the graph's input: the field's name, or `field=value` and `field=band` with one-hot encoding.
    pub fn columns(&self) -> Vec<String> {
        match (self.encoding, &self.kind) {
            (_, Kind::Array(_) | Kind::Image(_)) => Vec::new(),
            (_, Kind::Text(text)) => (0..text.width()).map(|column| format!("{}[{column}]", self.name)).collect(),
            (Encoding::Column, _) => vec![self.name.clone()],
            (Encoding::OneHot(_), Kind::Category(category)) => {
                category.values().iter().map(|value| format!("{}={}", self.name, value.name)).collect()
            }
            (Encoding::OneHot(codes), Kind::Number(_) | Kind::Boolean) => {
                (0..codes).map(|code| format!("{}={code}", self.name)).collect()
            }
        }
    }

    /// The number of columns that the model reads.
    pub fn width(&self) -> usize {
        match self.encoding {
            Encoding::Column => match &self.kind {
                Kind::Array(_) | Kind::Image(_) => 0,
                Kind::Text(text) => text.width(),
                Kind::Number(_) | Kind::Boolean | Kind::Category(_) => 1,
            },
            Encoding::OneHot(codes) => codes,
        }
    }

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

    pub(crate) fn reason(&self) -> Option<&Reason> {
        self.reason.as_ref()
    }

    /// The band that contains a number. `None` if the field has no bands.
    pub(crate) fn band_of(&self, number: f64) -> Option<usize> {
        match &self.kind {
            Kind::Number(kind) => kind.bands().map(|bands| bands.partition_point(|limit| number >= *limit)),
            Kind::Boolean | Kind::Category(_) | Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => None,
        }
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
