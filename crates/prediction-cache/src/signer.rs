//! Binds each value in the store to its key: `DECLINE#PLcRutzU0EY` ends in a digest of the key and the value.
//!
//! If a reply gets lost between Redis and this process, every later lookup on that connection gets the value of another key, whose digest
//! does not match. Neither does that of a value with a flipped bit. With a secret, the digest is an HMAC, so that whoever can write to
//! the store cannot forge an entry.

use std::fmt;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::CacheKey;

/// Separates the value from its digest.
const MARK: u8 = b'#';

/// Characters of a digest, 6 bits each: an attacker has to try each forgery on a running service, so 66 bits suffice, and entries stay
/// small.
const LENGTH: usize = 11;

/// Base64 for URLs: `redis-cli` prints it as it is.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Appends digests to values, and checks them. By default, the digest is the beginning of a SHA-256, which detects accidents; with a
/// [secret](Self::with_secret), of an HMAC-SHA-256.
#[derive(Clone, Default)]
pub struct Signer(Option<Hmac<Sha256>>);

/// Why a value in the store is not an entry of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// It does not end in a digest.
    Missing,
    /// Its digest is another: it belongs to another key, was signed with another secret, or has changed.
    Wrong,
}

impl Signer {
    /// The shortest allowed secret, in bytes.
    pub const MIN_SECRET: usize = 16;

    /// `None` if the secret is shorter than [`Self::MIN_SECRET`]. Keeps only what HMAC derives from it.
    pub fn with_secret(secret: &[u8]) -> Option<Self> {
        let long_enough = Some(secret).filter(|secret| secret.len() >= Self::MIN_SECRET)?;
        // HMAC accepts keys of any length.
        Hmac::new_from_slice(long_enough).ok().map(|hmac| Self(Some(hmac)))
    }

    /// The value as it is stored under this key.
    pub fn sign(&self, key: &CacheKey, value: &[u8]) -> Bytes {
        let mut stored = Vec::with_capacity(value.len() + 1 + LENGTH);
        stored.extend_from_slice(value);
        stored.push(MARK);
        stored.extend_from_slice(&self.digest(key, value));
        stored.into()
    }

    /// The value without its digest.
    ///
    /// # Errors
    ///
    /// If the digest is missing or another. Takes the same time wherever it differs.
    pub fn verify(&self, key: &CacheKey, mut stored: Bytes) -> Result<Bytes, Unsigned> {
        let at = stored.len().checked_sub(1 + LENGTH).ok_or(Unsigned::Missing)?;
        let (value, suffix) = stored.split_at(at);
        let [MARK, digest @ ..] = suffix else { return Err(Unsigned::Missing) };
        if !digest.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)) {
            return Err(Unsigned::Missing);
        }
        if !bool::from(self.digest(key, value)[..].ct_eq(digest)) {
            return Err(Unsigned::Wrong);
        }
        stored.truncate(at);
        Ok(stored)
    }

    fn digest(&self, key: &CacheKey, value: &[u8]) -> [u8; LENGTH] {
        let (key, field) = (key.as_str(), key.field().unwrap_or_default());
        // The lengths keep apart what is joined here.
        let lengths = ((key.len() as u64) << 32 | field.len() as u64).to_be_bytes();
        let parts = [&lengths[..], key.as_bytes(), field.as_bytes(), value];
        let digest: [u8; 32] = match &self.0 {
            None => parts.into_iter().fold(Sha256::new(), Digest::chain_update).finalize().into(),
            Some(hmac) => parts.into_iter().fold(hmac.clone(), Mac::chain_update).finalize().into_bytes().into(),
        };
        std::array::from_fn(|position| {
            let (byte, bit) = (6 * position / 8, 6 * position % 8);
            let bits = u16::from_be_bytes([digest[byte], digest[byte + 1]]) >> (10 - bit);
            ALPHABET[usize::from(bits & 63)]
        })
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Signer(HMAC)" } else { "Signer(digest)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeySpace, Layout, Namespace};

    const VALUES: [&[u8]; 5] = [b"DECLINE", b"0.3202543", b"0.25,0.5,0.25", b"", b"a#b"];

    fn signers() -> [Signer; 3] {
        let with = |secret: &[u8]| Signer::with_secret(secret).expect("long enough");
        [Signer::default(), with(b"0123456789abcdef"), with(b"0123456789abcdeg")]
    }

    fn key(layout: Layout, prediction: &str, input: &str) -> CacheKey {
        KeySpace::new(&Namespace::default(), layout, "9f86d081884c7d65").key(prediction, input)
    }

    #[test]
    fn a_value_is_read_back_under_its_own_key_with_its_own_secret_only() {
        let mut keys: Vec<_> = Layout::ALL.map(|layout| key(layout, "decision", "2,30")).into();
        keys.extend(Layout::ALL.map(|layout| key(layout, "decision", "2,31")));
        keys.extend([Layout::String, Layout::Hash].map(|layout| key(layout, "probability", "2,30")));
        for (signer, value) in signers().iter().flat_map(|signer| VALUES.map(|value| (signer, value))) {
            for own in &keys {
                let stored = signer.sign(own, value);
                for other in &keys {
                    let expected = if own == other { Ok(Bytes::from_static(value)) } else { Err(Unsigned::Wrong) };
                    assert_eq!(signer.verify(other, stored.clone()), expected, "{own:?} {other:?}");
                }
            }
        }
        for (one, other) in [(0, 1), (1, 0), (1, 2)] {
            let stored = signers()[one].sign(&keys[0], b"DECLINE");
            assert_eq!(signers()[other].verify(&keys[0], stored), Err(Unsigned::Wrong));
        }
    }

    #[test]
    fn a_field_is_not_confused_with_the_end_of_a_key() {
        let [one, other] = [("a:b", "c"), ("a:", "bc")].map(|(key, field)| CacheKey::from_parts(key, Some(field)));
        assert_ne!(Signer::default().sign(&one, b"1"), Signer::default().sign(&other, b"1"));
        assert_ne!(
            Signer::default().sign(&one, b"1"),
            Signer::default().sign(&CacheKey::from_parts("a:bc", None), b"1")
        );
    }

    #[test]
    fn any_flipped_bit_of_a_stored_value_or_of_its_key_is_detected() {
        for signer in signers() {
            for (layout, value) in Layout::ALL.into_iter().flat_map(|layout| VALUES.map(|value| (layout, value))) {
                let key = key(layout, "decision", "2,30,0,0,2");
                let stored = signer.sign(&key, value);
                for bit in 0..stored.len() * 8 {
                    let mut flipped = stored.to_vec();
                    flipped[bit / 8] ^= 1 << (bit % 8);
                    assert!(signer.verify(&key, flipped.into()).is_err(), "{layout:?} {bit}");
                }
                for bit in 0..key.as_str().len() * 8 {
                    let mut flipped = key.as_str().as_bytes().to_vec();
                    flipped[bit / 8] ^= 1 << (bit % 8);
                    // A key is text; Redis finds no entry under any other bytes.
                    let Ok(text) = String::from_utf8(flipped) else { continue };
                    let other = CacheKey::from_parts(&text, key.field());
                    assert_eq!(signer.verify(&other, stored.clone()), Err(Unsigned::Wrong), "{text}");
                }
            }
        }
    }

    #[test]
    fn a_value_without_a_digest_is_told_from_one_with_another() {
        let key = key(Layout::String, "decision", "2,30");
        for stored in ["", "DECLINE", "DECLINE#", "DECLINE#short", "DECLINE#with space!", "DECLINE.AAAAAAAAAAA"] {
            assert_eq!(Signer::default().verify(&key, stored.into()), Err(Unsigned::Missing), "{stored}");
        }
        for stored in ["DECLINE#AAAAAAAAAAA", "#AAAAAAAAAAA", "#-_-_-_-_-_-"] {
            assert_eq!(Signer::default().verify(&key, stored.into()), Err(Unsigned::Wrong), "{stored}");
        }
    }

    /// Computed with Python's hashlib and hmac. Entries outlive deployments: see `ENGINE_VERSION`.
    #[test]
    fn the_stored_text_is_the_documented_one() {
        let key = key(Layout::String, "decision", "2,30,0,0,2");
        let [plain, signed, _] = signers();
        assert_eq!(plain.sign(&key, b"DECLINE"), "DECLINE#PLcRutzU0EY");
        assert_eq!(signed.sign(&key, b"DECLINE"), "DECLINE#6Wv7Hi8WkCK");
    }

    #[test]
    fn a_short_secret_is_refused_and_none_is_shown() {
        assert!(Signer::with_secret(b"0123456789abcde").is_none());
        assert_eq!(format!("{:?}", signers()), "[Signer(digest), Signer(HMAC), Signer(HMAC)]");
    }
}
