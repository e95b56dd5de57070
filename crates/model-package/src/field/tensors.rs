//! The tensors that a field makes of a value.

use std::{fmt, sync::Arc};

use sha2::{Digest, Sha256};

use crate::tensor::Tensor;

/// Two are equal if and only if their digests are.
#[derive(Clone, Debug)]
pub(crate) struct Tensors {
    digest: [u8; Self::DIGEST],
    tensors: Vec<Arc<Tensor>>,
    tokens: usize,
}

impl Tensors {
    /// In bytes: 128 bits of a SHA-256.
    pub(crate) const DIGEST: usize = 16;

    pub(crate) fn new(tensors: Vec<Arc<Tensor>>) -> Arc<Self> {
        Self::of_text(tensors, 0)
    }

    /// Those of a text of so many tokens.
    pub(crate) fn of_text(tensors: Vec<Arc<Tensor>>, tokens: usize) -> Arc<Self> {
        let mut hash = Sha256::new();
        for tensor in &tensors {
            // The name of the type, the rank and the sizes determine where each part ends.
            hash.update([tensor.datatype() as u8, tensor.shape().len() as u8]);
            tensor.shape().iter().for_each(|size| hash.update((*size as u64).to_le_bytes()));
            hash.update(tensor.bytes());
        }
        let mut digest = [0; Self::DIGEST];
        digest.copy_from_slice(&hash.finalize()[..Self::DIGEST]);
        Arc::new(Self { digest, tensors, tokens })
    }

    pub(crate) fn as_slice(&self) -> &[Arc<Tensor>] {
        &self.tensors
    }

    /// The number of tokens of a text that the model reads, without padding; of a vectorizer's text, that of its distinct terms.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Whether this is how a digest displays.
    pub(crate) fn is_digest(text: &str) -> bool {
        text.len() == 2 * Self::DIGEST && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }
}

impl PartialEq for Tensors {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// The digest in hexadecimal.
impl fmt::Display for Tensors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
