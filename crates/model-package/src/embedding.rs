//! Embeddings: the vectors of a model that reads nothing but a text.

use super::{
    field::{Encoded, Field, Kind},
    json::Json,
    prediction::PredictionKind,
    signature::Signature,
    values::Input,
};

/// A prediction that is an embedding of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedding {
    /// The position of the prediction.
    pub prediction: usize,
    /// The number of numbers in each vector.
    pub dimensions: usize,
}

impl Signature {
    /// The embedding of the text that is the only field: the first `vector` of a length that is the same for every text. `None` for other
    /// models.
    pub fn embedding(&self) -> Option<Embedding> {
        self.only_text()?;
        let embedding = |(prediction, of): (usize, &super::Prediction)| match of.kind() {
            PredictionKind::Vector(_) => {
                of.shape().map(|shape| Embedding { prediction, dimensions: shape.iter().product() })
            }
            _ => None,
        };
        self.predictions().iter().enumerate().find_map(embedding)
    }

    /// Reads a text as the input, for [`Self::embedding`].
    ///
    /// # Errors
    ///
    /// What is allowed and what the text is instead: `must be a string of …, got …`.
    pub fn read_text(&self, text: &str) -> Result<Input, String> {
        let Some(field) = self.only_text() else { return Err("must not be sent to this model".to_owned()) };
        let value = Json::Text(text.into());
        let read = field.read(&value).map(|value| Input::new(vec![value]));
        read.ok_or_else(|| format!("{}, got {}", field.allowed(), field.received(&value)))
    }

    /// The number of tokens that the model reads of the texts in an input, without padding; of a vectorizer's text, that of its distinct
    /// terms.
    pub fn tokens(&self, input: &Input) -> usize {
        let tokens = |value: &Encoded| if let Encoded::Tensors(tensors) = value { tensors.tokens() } else { 0 };
        (0..self.fields().len()).map(|field| tokens(input.value(field))).sum()
    }

    fn only_text(&self) -> Option<&Field> {
        match self.fields() {
            [field] if matches!(field.kind(), Kind::Text(_)) => Some(field),
            _ => None,
        }
    }
}
