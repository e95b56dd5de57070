//! Turns a text into what a model reads: a tokenizer's ids, or a vectorizer's columns.

/// The version of the ids and columns that this crate makes. Raise it when a change can give others of the same text and file.
pub const VERSION: u32 = 1;

mod tokenizer;
mod vectorizer;

pub use self::{
    tokenizer::{Encoding, Options, Tokenizer, UnsupportedTokenizer},
    vectorizer::{UnsupportedVectorizer, Vectorizer},
};
