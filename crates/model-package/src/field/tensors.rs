//! The tensors that a field makes of a value.

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use sha2::{Digest as _, Sha256};

use crate::tensor::Tensor;

/// Two are equal if and only if their digests are.
#[derive(Debug)]
pub(crate) struct Tensors {
    digest: Digest,
    tensors: LazyLock<Vec<Arc<Tensor>>, Make>,
    /// The bytes of the tensors, or of what they are made of.
    bytes: usize,
    tokens: usize,
}

/// 128 bits of a SHA-256.
pub(crate) type Digest = [u8; 16];

/// Makes the tensors when they are needed.
type Make = Box<dyn FnOnce() -> Vec<Arc<Tensor>> + Send>;

impl Tensors {
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
        let mut digest = Digest::default();
        let length = digest.len();
        digest.copy_from_slice(&hash.finalize()[..length]);
        let bytes = tensors.iter().map(|tensor| tensor.bytes().len()).sum();
        let make: Make = Box::new(move || tensors);
        Arc::new(Self { digest, tensors: LazyLock::new(make), bytes, tokens })
    }

    /// Those with this digest, which `make` makes, of so many bytes, if they are needed.
    pub(crate) fn with_digest(
        digest: Digest,
        bytes: usize,
        make: impl FnOnce() -> Vec<Arc<Tensor>> + Send + 'static,
    ) -> Arc<Self> {
        let make: Make = Box::new(make);
        Arc::new(Self { digest, tensors: LazyLock::new(make), bytes, tokens: 0 })
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes that its tensors take before they are needed.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
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
        text.len() == 2 * size_of::<Digest>() && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
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
