//! The path in an event → a URI.

use http::Uri;

/// Strips the stage from the path. An HTTP API puts a named stage in front of the path, unless the request came through a custom
/// domain's mapping.
pub(super) fn below_stage(mut path: String, stage: &str) -> String {
    let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(stage)).filter(|rest| rest.starts_with('/'));
    if let Some(rest) = rest.filter(|_| !matches!(stage, "" | "$default")) {
        path.drain(..path.len() - rest.len());
    }
    path
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
            assert_eq!(below_stage(path.to_owned(), stage), below, "{path} in {stage}");
        }
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
