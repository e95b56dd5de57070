//! Turns a text into what a model reads: a tokenizer's ids, or a vectorizer's columns.

mod tokenizer;
mod vectorizer;

pub use self::{
    tokenizer::{Encoding, Options, Tokenizer, UnsupportedTokenizer},
    vectorizer::{UnsupportedVectorizer, Vectorizer},
};
