//! What a request asks, and what the model's output answers.

use bytes::Bytes;

/// What a request asks about its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// The prediction at this position.
    Prediction(usize),
    /// The prediction at this position, which is a vector. The body is its entry: the bytes of the numbers.
    Vector(usize),
    /// The contributions of the fields. The body is their entry, from which the answer is rendered with the values that the client sent.
    Contributions,
}

/// An answer to a question, derived from the model's output.
pub(super) struct Derived {
    /// The entry, for the requests that wait for this run and for the cache. `None` if the output cannot be written as one.
    pub(super) entry: Option<Bytes>,
    /// Whether the entry may be stored.
    pub(super) may_store: bool,
    /// The response's body.
    pub(super) body: Bytes,
}
