//! A checked `model.toml`: the inputs that a model's API accepts, and the predictions that it returns.

mod definition;
mod examples;

use bytes::Bytes;

use self::definition::prediction_entry;
pub(crate) use self::definition::require_schema_name;
pub use self::examples::Example;
use super::{
    contributions::Contributions,
    declaration::TensorDeclaration,
    decoded_key::DecodedField,
    feeds::GraphInput,
    field::{Field, Image, Kind},
    input::Fields,
    inputs::Inputs,
    invalid::{FieldError, FieldErrorCode, InvalidInput},
    mistake::{Entry, Mistake},
    output::{Output, OutputForm},
    precision::Precision,
    prediction::{Prediction, PredictionKind},
    tensor::Tensor,
    values::Input,
};

/// The inputs that a model's API accepts, and the predictions that it returns.
#[derive(Clone, Debug)]
pub struct Signature {
    pub name: String,
    /// The model's display name.
    pub title: String,
    /// The first paragraph of the API's documentation, in Markdown.
    pub description: String,
    /// The name of the input's schema in the OpenAPI document.
    pub input_name: String,
    /// Markdown.
    pub input_description: String,
    pub examples: Vec<Example>,
    pub golden: GoldenTolerance,
    fields: Fields,
    inputs: Vec<GraphInput>,
    /// The positions of the graph's outputs that predictions read.
    outputs: Vec<usize>,
    /// Their declarations.
    declared_outputs: Vec<TensorDeclaration>,
    predictions: Vec<Prediction>,
    /// Known once the graph has run.
    output_form: Option<OutputForm>,
    contributions: Option<Contributions>,
}

/// How closely the model's answers must match the golden ones.
#[derive(Clone, Copy, Debug)]
pub struct GoldenTolerance {
    /// The largest allowed difference between numbers: relative for numbers above 1, absolute for others.
    pub number: f64,
    /// The fraction of rows that may differ by more than `number` or have another class.
    pub share: f64,
}

impl Signature {
    /// Reads an input from JSON text: an object that contains no unknown fields, unless [`Self::ignores_unknown_fields`].
    ///
    /// # Errors
    ///
    /// If the text is not a valid input; lists all invalid fields.
    pub fn read(&self, json: &[u8]) -> Result<Input, InvalidInput> {
        self.fields.read(json)
    }

    /// Reads one input or several from JSON text: an object as for [`Self::read`], or an array of 1 to
    /// [`Self::max_inputs`] of them.
    ///
    /// # Errors
    ///
    /// If any of them is not a valid input; lists the invalid fields of all.
    pub fn read_all(&self, json: &[u8]) -> Result<Inputs, InvalidInput> {
        self.fields.read_all(json)
    }

    /// The most inputs in one request: [`MAX_INPUTS`](super::MAX_INPUTS), or eight images.
    pub fn max_inputs(&self) -> usize {
        self.fields.max_inputs()
    }

    /// Whether reading a body of this size takes longer than about a millisecond, so that other requests should not wait for it.
    pub fn is_slow_to_read(&self, bytes: usize) -> bool {
        self.fields.is_slow_to_read(bytes)
    }

    /// The most memory that decoding one of its images takes, in bytes. 0 without images.
    pub fn decoding_memory(&self) -> u64 {
        /// For each pixel.
        const BYTES: u64 = 16;
        let pixels = self.fields().iter().map(|field| match field.kind() {
            Kind::Image(image) => image.max_pixels().into(),
            Kind::Number(_) | Kind::Boolean | Kind::Category(_) | Kind::Date(_) | Kind::Array(_) | Kind::Text(_) => 0,
        });
        BYTES * pixels.max().unwrap_or_default()
    }

    /// The image that a request's body can be, instead of JSON: that of a model without other fields.
    pub fn only_image(&self) -> Option<&Image> {
        match self.fields() {
            [field] => match field.kind() {
                Kind::Image(image) => Some(image),
                _ => None,
            },
            _ => None,
        }
    }

    /// Reads an image file as the input, for [`Self::only_image`].
    ///
    /// # Errors
    ///
    /// If the file is not a valid image.
    pub fn read_image(&self, image: &Image, file: &[u8]) -> Result<Input, InvalidInput> {
        let read = image.read(file).map(|value| Input::new(vec![value]));
        read.map_err(|error| {
            let error = FieldError {
                field: self.fields().first().map(|field| field.name().to_owned()).unwrap_or_default(),
                code: FieldErrorCode::Invalid,
                detail: image.problem(&error).into(),
                received: None,
                suggestion: None,
            };
            InvalidInput::Fields { errors: vec![error], unlisted: 0 }
        })
    }

    /// Parses what [`Input`] displays: the values of its fields, in their order. `None` for text that no input of this model displays
    /// as.
    pub fn decode(&self, text: &str) -> Option<Vec<DecodedField>> {
        self.fields.decode(text)
    }

    /// The graph's inputs, in its order. Empty if the graph was [not known](crate::Declaration::unknown).
    pub fn inputs(&self) -> &[GraphInput] {
        &self.inputs
    }

    /// The positions of the graph's outputs that predictions read, in the order of [`Output`]'s tensors.
    pub fn outputs(&self) -> &[usize] {
        &self.outputs
    }

    /// The tensors that the graph reads for these inputs, one for each of its [inputs](Self::inputs). `None` if the inputs cannot run
    /// together, because their tensors have different shapes.
    pub fn feed(&self, inputs: &[&Input]) -> Option<Vec<Tensor>> {
        self.inputs.iter().map(|input| input.feed(self.fields(), inputs)).collect()
    }

    /// Whether several inputs can be the rows of one run.
    pub fn is_batched(&self) -> bool {
        self.inputs.iter().all(|input| input.is_batched(self.fields()))
    }

    /// Whether an output's first dimension can be that of the batch.
    pub fn has_batch(&self) -> bool {
        self.inputs.iter().any(|input| input.is_batched(self.fields()))
    }

    /// The tensors of an input of zeros, to try the graph on.
    pub fn blank(&self) -> Vec<Tensor> {
        self.inputs.iter().map(|input| input.blank(self.fields())).collect()
    }

    /// The type of the scalar columns. `None` without any.
    pub fn precision_of_columns(&self) -> Option<Precision> {
        self.fields().iter().find(|field| !field.is_tensor()).map(Field::precision)
    }

    /// The type in which integers of the graph's outputs are compared and written: that of the scalars that it reads.
    pub fn precision_of_integers(&self) -> Precision {
        self.precision_of_columns().unwrap_or(Precision::Float64)
    }

    /// The form of an output's entry, for the model's fingerprint: everything that it depends on besides the graph and the fields. `None`
    /// for the text of the first output.
    pub fn output_identity(&self) -> Option<String> {
        let is_text = matches!(self.output_form, Some(OutputForm::Text { .. }));
        let of_first = self.outputs == [0] && is_text;
        (!of_first).then(|| format!("outputs {:?} {}", self.outputs, if is_text { "text" } else { "bytes" }))
    }

    /// The columns of an input: numbers of the graph's type.
    pub fn encode(&self, input: &Input) -> Vec<f64> {
        let mut columns = Vec::with_capacity(self.width());
        self.encode_into(input, &mut columns);
        columns
    }

    /// Appends the columns of an input: [`Self::width`] numbers.
    pub fn encode_into(&self, input: &Input, columns: &mut Vec<f64>) {
        self.fields.encode(input, columns);
    }

    /// Checks the predictions against an output of the graph, and derives them in its types. `is_fixed` says of each tensor whether it
    /// has this shape for every input.
    ///
    /// # Errors
    ///
    /// All mistakes in the predictions.
    pub fn set_output(&mut self, output: &Output, is_fixed: &[bool]) -> Result<(), Vec<Mistake>> {
        let mut mistakes = Vec::new();
        for prediction in &mut self.predictions {
            if let Err(problem) = prediction.set_output(output, is_fixed) {
                Entry::new(prediction_entry(prediction.name()), &mut mistakes).mistake(problem);
            }
        }
        for (declared, tensor) in self.declared_outputs.iter().zip(output.tensors()) {
            if let Err(problem) = declared.check(tensor) {
                Entry::new(format!("output {:?}", declared.name), &mut mistakes).mistake(problem);
            }
        }
        // As text, a long output would be several times as long.
        let is_array = |prediction: &Prediction| {
            matches!(prediction.kind(), PredictionKind::Vector(_) | PredictionKind::Top(..) | PredictionKind::Tensor)
        };
        let as_text = !self.predictions.iter().any(is_array);
        self.output_form = Some(OutputForm::of(output, as_text));
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }

    /// The cache entry of an output. `None` if a number is not finite.
    pub fn output_entry(&self, output: &Output) -> Option<Bytes> {
        self.output_form.as_ref()?.write(output)
    }

    /// Parses an entry. `None` for anything that [`Self::output_entry`] would not write.
    pub(crate) fn read_output(&self, entry: &[u8]) -> Option<Output> {
        self.output_form.as_ref()?.read(entry)
    }

    /// In the order of `model.toml`.
    pub fn fields(&self) -> &[Field] {
        self.fields.as_slice()
    }

    /// Whether a request may have members other than the fields, which are ignored.
    pub fn ignores_unknown_fields(&self) -> bool {
        self.fields.ignores_unknown()
    }

    /// In the order of `model.toml`.
    pub fn predictions(&self) -> &[Prediction] {
        &self.predictions
    }

    /// The prediction of the kind `contributions`.
    pub fn contributions(&self) -> Option<&Contributions> {
        self.contributions.as_ref()
    }

    /// The position of the field of this name, in any Unicode spelling.
    pub(crate) fn field_position(&self, name: &str) -> Option<usize> {
        self.fields.position(name, 0)
    }

    /// The names of the graph's input columns.
    pub fn columns(&self) -> Vec<String> {
        self.fields.as_slice().iter().flat_map(Field::columns).collect()
    }

    /// The number of the graph's input columns.
    pub fn width(&self) -> usize {
        self.fields.as_slice().iter().map(Field::width).sum()
    }
}
