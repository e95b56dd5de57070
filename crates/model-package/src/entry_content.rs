//! The contents of a cache entry: one prediction's answer, or the graph's output, from which all answers are derived.

use bytes::Bytes;

use super::{Answer, ModelError, Output, Signature};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryContent {
    Answer,
    Output,
}

impl EntryContent {
    pub fn entries_per_input(self, signature: &Signature) -> usize {
        match self {
            Self::Answer => signature.predictions().len(),
            Self::Output => 1,
        }
    }

    /// Derives a prediction from the graph's output. Returns the cache entry, if the output can be written as one, and the answer.
    ///
    /// # Errors
    ///
    /// If the prediction cannot be derived from this output.
    pub fn write(
        self,
        signature: &Signature,
        prediction: usize,
        output: &Output,
    ) -> Result<(Option<Bytes>, Answer), ModelError> {
        let answer = signature.predictions()[prediction].derive(output)?;
        let entry = match self {
            Self::Answer => Some(answer.entry.clone()),
            Self::Output => signature.output_entry(output),
        };
        Ok((entry, answer))
    }

    /// Whether an entry that [`write`](Self::write) made may be stored: every prediction can be derived from the output.
    pub fn may_store(self, signature: &Signature, output: &Output) -> bool {
        match self {
            Self::Answer => true,
            Self::Output => signature.accepts(output),
        }
    }

    /// Parses an entry and returns the response body. `None` for anything that [`write`](Self::write) would not write.
    pub fn read(self, signature: &Signature, prediction: usize, entry: &Bytes) -> Option<Bytes> {
        self.read_if(signature, prediction, entry, |_| true)
    }

    /// As [`Self::read_stored`], but returns the bytes of a vector: the entry of its [`Answer`].
    pub fn read_vector(self, signature: &Signature, prediction: usize, entry: &Bytes) -> Option<Bytes> {
        let prediction = &signature.predictions()[prediction];
        match self {
            Self::Answer => prediction.read_vector(entry).map(|_| entry.clone()),
            Self::Output => {
                let output = signature.read_output(entry).filter(|output| signature.accepts(output))?;
                Some(prediction.derive(&output).ok()?.entry)
            }
        }
    }

    /// As [`Self::read`], but `None` also for an entry that [may not be stored](Self::may_store).
    pub fn read_stored(self, signature: &Signature, prediction: usize, entry: &Bytes) -> Option<Bytes> {
        self.read_if(signature, prediction, entry, |output| signature.accepts(output))
    }

    fn read_if(
        self,
        signature: &Signature,
        prediction: usize,
        entry: &Bytes,
        accepts: impl FnOnce(&Output) -> bool,
    ) -> Option<Bytes> {
        let prediction = &signature.predictions()[prediction];
        match self {
            Self::Answer => Some(prediction.read(entry)?.body),
            Self::Output => {
                let output = signature.read_output(entry).filter(accepts)?;
                Some(prediction.derive(&output).ok()?.body)
            }
        }
    }
}

impl Signature {
    /// Whether every prediction can be derived from this output.
    fn accepts(&self, output: &Output) -> bool {
        self.predictions().iter().all(|prediction| prediction.accepts(output))
    }
}
