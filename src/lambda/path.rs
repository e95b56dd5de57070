//! The path in an event → the path that the API routes, and the prefix that the gateway put in front of it.

use std::{borrow::Cow, collections::HashMap};

use http::Uri;

use crate::http::BasePath;

/// A path, split where the gateway's prefix ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// What clients put in front of the service's paths, such as `/prod` or `/ml`; empty if there is none, or the event does not say.
    pub(super) base: String,
    /// The path that the API routes.
    pub(super) path: String,
}

impl Located {
    /// A path that the gateway did not change.
    pub(super) fn unchanged(path: String) -> Self {
        Self { base: String::new(), path }
    }

    /// `path` as the event has it, of which the API routes what begins at `below`; and `sent`, the path that the client sent, if the
    /// event says it.
    pub(super) fn new(mut path: String, below: Option<usize>, sent: Option<&str>) -> Self {
        let removed: String = path.drain(..below.unwrap_or_default()).collect();
        let base = sent.and_then(|sent| sent.strip_suffix(path.as_str()));
        // Where `path` is decoded and `sent` is not, they do not end alike.
        Self { base: base.map_or(removed, str::to_owned), path }
    }
}

/// Where the path continues below the stage: an HTTP API puts a named stage in front of the path, unless the request came through a
/// custom domain's mapping.
pub(super) fn below_stage(path: &str, stage: &str) -> Option<usize> {
    let rest = path.strip_prefix('/')?.strip_prefix(stage).filter(|rest| rest.starts_with('/'))?;
    (!matches!(stage, "" | "$default")).then(|| path.len() - rest.len())
}

/// Where the path continues below a custom domain's mapping, which the route does not contain: the route `/{proxy+}` with the parameter
/// `decisions` is the end of `/ml/decisions`. `None` if there is no mapping, or the path does not end with the route.
pub(super) fn below_mapping(path: &str, route: &str, parameters: Option<&str>) -> Option<usize> {
    let route = match route.contains('{') {
        true => Cow::Owned(filled(route, parameters)?),
        false => Cow::Borrowed(route),
    };
    let mapping = if route.starts_with('/') { path.strip_suffix(&*route)? } else { return None };
    BasePath::parse(mapping).map(|_| mapping.len())
}

/// The route with its parameters: a JSON object of strings.
fn filled(route: &str, parameters: Option<&str>) -> Option<String> {
    let parameters: HashMap<Cow<'_, str>, Cow<'_, str>> = serde_json::from_str(parameters?).ok()?;
    let mut filled = String::new();
    for segment in route.strip_prefix('/')?.split('/') {
        filled.push('/');
        match segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}')) {
            Some(name) => filled.push_str(parameters.get(name.strip_suffix('+').unwrap_or(name))?),
            None => filled.push_str(segment),
        }
    }
    Some(filled)
}

/// The path as a URI. Payload 2.0 percent-decodes the path, so it may not be a valid URI. Such a path matches no route, and is
/// replaced by a valid one that matches none either.
pub(super) fn uri(path: String) -> Uri {
    let path = if path.starts_with('/') { path } else { "/".to_owned() };
    // In a decoded path, these characters are part of the path; in a URI, they would end it.
    let parsed = if path.contains(['?', '#']) { None } else { Uri::try_from(path).ok() };
    parsed.unwrap_or_else(|| Uri::from_static("/-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_stage_is_stripped_and_a_segment_that_only_looks_like_one_is_kept() {
        for (path, stage, below) in [
            ("/prod/decisions", "prod", "/decisions"),
            ("/decisions/decisions", "decisions", "/decisions"),
            ("/prod/prod/docs/", "prod", "/prod/docs/"),
            ("/prod/", "prod", "/"),
            ("/prod", "prod", "/prod"),
            ("/decisions", "decisions", "/decisions"),
            ("/production/decisions", "prod", "/production/decisions"),
            ("/decisions", "prod", "/decisions"),
            ("/$default/decisions", "$default", "/$default/decisions"),
            ("//decisions", "", "//decisions"),
            ("", "prod", ""),
        ] {
            assert_eq!(&path[below_stage(path, stage).unwrap_or_default()..], below, "{path} in {stage}");
        }
    }

    #[test]
    fn a_mapping_is_what_stands_before_the_route() {
        let proxy = |path: &str| Some(format!(r#"{{"proxy": "{path}"}}"#));
        for (path, route, parameters, below) in [
            ("/ml/decisions", "/{proxy+}", proxy("decisions"), "/decisions"),
            ("/a/b/docs/errors", "/{proxy+}", proxy("docs/errors"), "/docs/errors"),
            ("/ml/decisions", "/decisions", None, "/decisions"),
            ("/decisions", "/{proxy+}", proxy("decisions"), "/decisions"),
            ("/ml/decisions", "/{prediction}", Some(r#"{"prediction": "decisions"}"#.to_owned()), "/decisions"),
            ("/ml/decisions", "/ml/{proxy+}", proxy("decisions"), "/ml/decisions"),
            ("/ml/decisions", "/{proxy+}", None, "/ml/decisions"),
            ("/ml/decisions", "/{proxy+}", proxy("docs"), "/ml/decisions"),
            ("/ml/decisions", "/{proxy+}", Some("[]".to_owned()), "/ml/decisions"),
            ("//decisions", "/decisions", None, "//decisions"),
            ("/../decisions", "/decisions", None, "/../decisions"),
            ("/ml", "/", None, "/ml"),
            ("/ml/decisions", "$default", None, "/ml/decisions"),
        ] {
            let start = below_mapping(path, route, parameters.as_deref()).unwrap_or_default();
            assert_eq!(&path[start..], below, "{path} by {route}");
        }
    }

    #[test]
    fn the_base_is_what_the_client_put_in_front() {
        let located = |path: &str, below, sent| {
            let Located { base, path } = Located::new(path.to_owned(), below, sent);
            (base, path)
        };
        let expected = |base: &str, path: &str| (base.to_owned(), path.to_owned());
        assert_eq!(located("/decisions", None, None), expected("", "/decisions"));
        assert_eq!(located("/decisions", None, Some("/prod/decisions")), expected("/prod", "/decisions"));
        assert_eq!(located("/prod/decisions", Some(5), Some("/prod/decisions")), expected("/prod", "/decisions"));
        assert_eq!(located("/ml/a b", Some(3), Some("/ml/a%20b")), expected("/ml", "/a b"));
    }

    #[test]
    fn a_path_that_is_not_a_valid_uri_becomes_one_that_matches_no_route() {
        for path in ["/decisions", "/docs/", "/%20"] {
            assert_eq!(uri(path.to_owned()).path(), path);
        }
        for path in ["/a b", "/decisions?x", "/decisions#x", "/\u{e4}", "/\"", &"/a".repeat(70_000)] {
            let uri = uri(path.to_owned());
            assert!(uri.path() == "/-" || uri.path() == path, "{path} became {uri}");
            assert_ne!(uri.path(), "/decisions");
        }
        assert_eq!(uri(String::new()).path(), "/");
        assert_eq!(uri("decisions".to_owned()).path(), "/");
    }
}
