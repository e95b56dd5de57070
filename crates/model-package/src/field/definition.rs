//! Checks the entries of `[[fields]]`.

use serde_json::Value;

use super::{
    Array, Category, Date, Encoded, Encoding, Field, Image, Kind, MAX_NAME_LENGTH, Number, Text, is_name,
    reason::Reason,
};
use crate::{
    declaration::TensorDeclaration,
    files::Files,
    json::Json,
    manifest::{EncodingEntry, FieldEntry, FieldType, LimitEntry},
    mistake::Entry,
    tensor::DataType,
};

impl Field {
    /// Checks an entry of `[[fields]]` against the graph's inputs that it feeds, the first of which has this type. `None` if it has
    /// mistakes, which are added to `entry`.
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
        let is_date = is_a(&[FieldType::Date, FieldType::Datetime]);
        let (is_array, is_text, is_image) =
            (is_a(&[FieldType::Array]), is_a(&[FieldType::Text]), is_a(&[FieldType::Image]));
        for (key, given, applies, to) in [
            (
                "minimum",
                written.minimum.is_some(),
                is_number || is_array || is_date,
                "numbers, integers, arrays and dates",
            ),
            (
                "exclusive_minimum",
                written.exclusive_minimum.is_some(),
                is_number || is_array,
                "numbers, integers and arrays",
            ),
            (
                "maximum",
                written.maximum.is_some(),
                is_number || is_array || is_date,
                "numbers, integers, arrays and dates",
            ),
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
                "numbers, integers, booleans, strings and dates",
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
        for (key, limit) in [("minimum", &written.minimum), ("maximum", &written.maximum)] {
            let is_text = matches!(limit, Some(LimitEntry::Text(_)));
            entry.require(is_date || !is_text, format_args!("`{key}` must be a number"));
        }
        let kind = match written.r#type {
            FieldType::Number | FieldType::Integer => Kind::Number(Number::new(written, datatype, entry)?),
            FieldType::Boolean => Kind::Boolean,
            FieldType::String => Kind::Category(Category::new(written, entry)?),
            FieldType::Date | FieldType::Datetime => Kind::Date(Date::new(written, datatype, entry)?),
            FieldType::Array => Kind::Array(Array::new(written, inputs.first().copied(), entry)?),
            FieldType::Text => Kind::Text(Text::new(written, inputs, files, entry)?),
            FieldType::Image => Kind::Image(Image::new(written, inputs.first().copied(), files, entry)?),
        };
        let bands = match &kind {
            Kind::Number(number) => number.bands().map(|limits| limits.len() + 1),
            Kind::Boolean | Kind::Category(_) | Kind::Date(_) | Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => None,
        };
        let codes = match &kind {
            Kind::Number(number) => number.bands().map(|limits| limits.len() + 1),
            Kind::Boolean | Kind::Date(_) | Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => None,
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
            Kind::Boolean | Kind::Category(_) | Kind::Date(_) | Kind::Array(_) | Kind::Image(_) => false,
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
            Kind::Date(_) | Kind::Array(_) | Kind::Text(_) | Kind::Image(_) => 0,
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
}
