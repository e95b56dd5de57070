//! Parses keys: the reverse of [`KeySpace::key`](super::KeySpace::key), for tools.

use super::Layout;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedKey<'a> {
    pub namespace: &'a str,
    /// The tenant's name, percent-encoded or as a digest; `None` without a tenant.
    pub tenant: Option<&'a str>,
    /// Identifies the model.
    pub fingerprint: &'a str,
    pub layout: Layout,
    /// `None` in layouts whose keys do not name a prediction.
    pub prediction: Option<&'a str>,
    /// The model's input, as text or as a digest.
    pub input: &'a str,
}

impl<'a> ParsedKey<'a> {
    /// `None` if the text is not a key.
    pub fn parse(key: &'a str) -> Option<Self> {
        let (namespace, rest) = key.split_once(':')?;
        let (tenant, rest) = match rest.strip_prefix('@') {
            Some(rest) => rest.split_once(':').map(|(tenant, rest)| (Some(tenant), rest))?,
            None => (None, rest),
        };
        let mut parts = rest.splitn(3, ':');
        let (fingerprint, middle, input) = (parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let has_empty_name = namespace.is_empty() || tenant.is_some_and(str::is_empty);
        if has_empty_name || fingerprint.len() != 16 || !fingerprint.bytes().all(is_hex) {
            return None;
        }
        let (layout, prediction) = match Layout::ALL.into_iter().find(|layout| layout.mark() == Some(middle)) {
            Some(layout) => (layout, None),
            None if middle.is_empty() || middle.starts_with('@') => return None,
            None => (Layout::String, Some(middle)),
        };
        Some(Self { namespace, tenant, fingerprint, layout, prediction, input })
    }

    /// Whether the input is a digest, which cannot be decoded.
    pub fn is_digested(&self) -> bool {
        self.input.starts_with('#')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeySpace, Namespace, Tenant};

    #[test]
    fn parsing_a_key_returns_the_parts_it_was_built_from() {
        let namespace = Namespace::new("team-a").expect("allowed");
        let long = "t".repeat(65);
        let tenants = [None, Some("acme"), Some("9f86d081884c7d65"), Some(":@hash:"), Some(&*long)];
        for (layout, tenant) in Layout::ALL.into_iter().flat_map(|layout| tenants.map(|tenant| (layout, tenant))) {
            let tenant = tenant.map(|id| Tenant::new(id).expect("allowed"));
            let keys = KeySpace::new(&namespace, layout, "9f86d081884c7d65");
            let keys = tenant.as_ref().map_or(keys.clone(), |tenant| keys.of_tenant(tenant));
            for input in ["2,30,,0,?", "", "-1e-7", &"1".repeat(201)] {
                let key = keys.key("decision", input);
                let parsed = ParsedKey::parse(key.as_str()).expect("a key");
                assert_eq!((parsed.namespace, parsed.fingerprint), ("team-a", "9f86d081884c7d65"));
                let prediction = (layout == Layout::String).then_some("decision");
                assert_eq!((parsed.layout, parsed.prediction), (layout, prediction));
                assert_eq!(parsed.tenant, tenant.as_ref().map(Tenant::as_str));
                assert!(if parsed.is_digested() { input.len() > 200 } else { parsed.input == input }, "{parsed:?}");
            }
        }
    }

    #[test]
    fn text_that_is_not_a_key_is_rejected() {
        for text in [
            "",
            "session:9f86d081884c7d65",
            "predict-once:9f86d081884c7d65:decision",
            "predict-once:9F86D081884C7D65:decision:1",
            "predict-once:9f86:decision:1",
            "predict-once:9f86d081884c7d65:@list:1",
            "predict-once:9f86d081884c7d65::1",
            ":9f86d081884c7d65:decision:1",
            "predict-once:@acme",
            "predict-once:@acme:decision:1",
            "predict-once:@:9f86d081884c7d65:decision:1",
            "predict-once:@acme:@acme:9f86d081884c7d65:decision:1",
        ] {
            assert_eq!(ParsedKey::parse(text), None, "{text}");
        }
    }
}
