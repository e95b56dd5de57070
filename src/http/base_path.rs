//! Prefixes that gateways and load balancers leave in front of the service's paths.

use std::borrow::Cow;

/// A prefix such as `/ml`, without a slash at its end. As a request extension: the prefix that a gateway has already removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasePath(String);

impl BasePath {
    /// `None` unless the text is one or more segments, each after a `/`.
    pub fn parse(text: &str) -> Option<Self> {
        let is_segment = |segment: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%@:$+".contains(&byte);
            !matches!(segment, "" | "." | "..") && segment.bytes().all(allowed)
        };
        text.strip_prefix('/')?.split('/').all(is_segment).then(|| Self(text.to_owned()))
    }
}

/// The prefixes below which the service answers too. Paths without any are answered in any case: a health check reaches the service
/// past the gateway, and another gateway removes the prefix itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePaths(Vec<BasePath>);

impl BasePaths {
    /// The error message for an invalid list.
    pub const ALLOWED: &'static str = "must be a path that begins with `/` and does not end with it, such as /ml, or a comma-separated list of them, of letters, digits and - . _ ~ % @ : $ +";

    /// Parses a comma-separated list.
    pub fn parse(text: &str) -> Option<Self> {
        text.split(',').map(|path| BasePath::parse(path.trim())).collect::<Option<_>>().map(Self)
    }

    /// Whether the path is one of the prefixes itself, such as `/ml`.
    pub(super) fn contains(&self, path: &str) -> bool {
        self.0.iter().any(|BasePath(base)| base == path)
    }

    /// Splits a path behind the longest of the prefixes. `/ml` alone has none: what follows a prefix begins with a slash.
    fn split<'a>(&self, path: &'a str) -> (&str, &'a str) {
        let below = |BasePath(base): &BasePath| {
            let rest = path.strip_prefix(base.as_str()).filter(|rest| rest.starts_with('/'))?;
            Some((base.len(), rest))
        };
        let longest =
            self.0.iter().filter_map(|base| Some((base, below(base)?))).max_by_key(|(_, (length, _))| *length);
        longest.map_or(("", path), |(BasePath(base), (_, rest))| (base.as_str(), rest))
    }

    /// The path that is routed.
    pub fn strip<'a>(&self, path: &'a str) -> &'a str {
        self.split(path).1
    }

    /// What to put in front of a path in an answer, so that it leads back here. `removed` is what a gateway has removed from `path`.
    /// Without any prefix, a proxy may have removed one unsaid: then it is the first of these.
    pub(super) fn base(&self, path: &str, removed: Option<BasePath>) -> Cow<'_, str> {
        let itself = self.0.iter().find(|BasePath(base)| base == path);
        let prefix = itself.map_or_else(|| self.split(path).0, |BasePath(base)| base);
        match (removed, prefix) {
            (None, "") => self.0.first().map_or("", |BasePath(base)| base).into(),
            (None, base) => base.into(),
            (Some(BasePath(removed)), base) => (removed + base).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_has_segments_and_no_slash_at_its_end() {
        for valid in ["/ml", "/ml/v1", "/a-b.c_d~e", "/%20", "/$default"] {
            assert!(BasePath::parse(valid).is_some(), "{valid}");
        }
        for invalid in
            ["", "/", "ml", "/ml/", "//ml", "/ml//v1", "/..", "/ml/.", "/ml?x", "/ml#x", "/a b", "/\"", "/\u{e4}"]
        {
            assert_eq!(BasePath::parse(invalid), None, "{invalid}");
        }
        assert!(BasePaths::parse("/ml, /ml/v1,/x").is_some());
        for invalid in ["/ml,", ",", "/ml,v1", " "] {
            assert_eq!(BasePaths::parse(invalid), None, "{invalid}");
        }
    }

    #[test]
    fn the_longest_prefix_is_stripped_and_a_segment_that_only_begins_like_one_is_kept() {
        let paths = BasePaths::parse("/ml,/ml/v1,/decisions").expect("valid");
        for (path, base, rest) in [
            ("/ml/decisions", "/ml", "/decisions"),
            ("/ml/v1/decisions", "/ml/v1", "/decisions"),
            ("/ml/", "/ml", "/"),
            ("/ml", "", "/ml"),
            ("/mlx/decisions", "", "/mlx/decisions"),
            ("/decisions", "", "/decisions"),
            ("/decisions/decisions", "/decisions", "/decisions"),
        ] {
            assert_eq!(paths.split(path), (base, rest), "{path}");
        }
        assert_eq!(BasePaths::default().split("/ml/decisions"), ("", "/ml/decisions"));
    }

    #[test]
    fn answers_lead_back_to_the_path_of_the_request() {
        let paths = BasePaths::parse("/ml,/v1").expect("valid");
        let gateways = || BasePath::parse("/prod");
        for (path, removed, base) in [
            ("/ml/docs", None, "/ml"),
            ("/v1/docs", None, "/v1"),
            ("/v1", None, "/v1"),
            ("/docs", None, "/ml"),
            ("/docs", gateways(), "/prod"),
            ("/v1/docs", gateways(), "/prod/v1"),
        ] {
            assert_eq!(paths.base(path, removed), base, "{path}");
        }
        assert_eq!(BasePaths::default().base("/docs", None), "");
    }
}
