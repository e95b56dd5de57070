//! Tenants in keys: with `CACHE_PER_TENANT`, each tenant has its own entries.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::digest_from;

/// Names longer than this, in bytes, are replaced by a digest.
const MAX_NAME_LENGTH: usize = 64;

/// Includes the colon and `@`, which structure keys, and braces, which are Redis Cluster's hash tags.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');

/// A tenant's name in keys: its id, percent-encoded, or a digest of that. Different ids have different names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant(String);

impl Tenant {
    /// `None` unless Lambda allows `id` as a tenant id: 1 to 256 characters of A-Z, a-z, 0-9, space and `. _ : / = + - @`.
    pub fn new(id: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b" ._:/=+-@".contains(&byte);
        if !(1..=256).contains(&id.len()) || !id.bytes().all(allowed) {
            return None;
        }
        let mut name = utf8_percent_encode(id, &ENCODED).to_string();
        if name.len() > MAX_NAME_LENGTH {
            digest_from(&mut name, 0);
        }
        Some(Self(name))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn name(id: &str) -> Option<String> {
        Tenant::new(id).map(|tenant| tenant.as_str().to_owned())
    }

    #[test]
    fn an_id_is_legible_in_keys_and_special_characters_are_encoded() {
        assert_eq!(name("acme-1.eu_west").as_deref(), Some("acme-1.eu_west"));
        assert_eq!(name("acme:@hash/a=b + c").as_deref(), Some("acme%3A%40hash%2Fa%3Db%20%2B%20c"));
        let long = name(&"a".repeat(256)).expect("allowed");
        assert!(long.starts_with('#') && long.len() == 33, "{long}");
    }

    #[test]
    fn different_ids_have_different_names() {
        let mut ids = vec!["a".repeat(64), "a".repeat(65), "a".repeat(66), format!("{}b", "a".repeat(64))];
        ids.extend(["a", "A", "a ", " a", "a:b", "a b", "a/b", "a%3Ab", "a+b"].map(str::to_owned));
        let names: HashSet<_> = ids.iter().filter_map(|id| name(id)).collect();
        // `a%3Ab` is rejected: an id may not contain a per cent sign.
        assert_eq!(names.len(), ids.len() - 1);
    }

    #[test]
    fn ids_that_lambda_does_not_allow_are_rejected() {
        for id in ["", "{a}", "a*", "a\n", "ä", "a\u{fffd}", &"a".repeat(257)] {
            assert_eq!(Tenant::new(id), None, "{id:?}");
        }
    }
}
