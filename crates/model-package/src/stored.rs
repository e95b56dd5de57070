//! What an entry of a cache holds: one prediction's answer, or the graph's output, from which all of them follow.

use bytes::Bytes;

use super::{ModelError, Output, Signature};

/// What an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The answer of one prediction.
    Answer,
    /// The graph's output.
    Output,
}

impl Stored {
    /// How many entries an input has.
    pub fn entries_per_input(self, signature: &Signature) -> usize {
        match self {
            Self::Answer => signature.predictions().len(),
            Self::Output => 1,
        }
    }

    /// Derives a prediction from the graph's output: the entry to store, if the output can be stored, and the response's body.
    ///
    /// # Errors
    ///
    /// If the prediction cannot be derived from this output.
    pub fn write(
        self,
        signature: &Signature,
        prediction: usize,
        output: &Output,
    ) -> Result<(Option<Bytes>, Bytes), ModelError> {
        let answer = signature.predictions()[prediction].derive(output)?;
        let entry = match self {
            Self::Answer => Some(answer.entry),
            Self::Output => output.to_entry(),
        };
        Ok((entry, answer.body))
    }

    /// Reads an entry back: the body of the response with a prediction. `None` for anything that [`write`](Self::write) does not
    /// write. `columns` is the length of the graph's output.
    pub fn read(self, signature: &Signature, columns: usize, prediction: usize, entry: &Bytes) -> Option<Bytes> {
        let prediction = &signature.predictions()[prediction];
        match self {
            Self::Answer => Some(prediction.read(entry)?.body),
            Self::Output => Some(prediction.derive(&Output::read(entry, columns)?).ok()?.body),
        }
    }
}
