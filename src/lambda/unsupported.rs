//! The error of an event that the service does not know.

use std::fmt;

use lambda_runtime::Diagnostic;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::headers::Text;

/// The event is neither an HTTP request from a supported gateway nor anything else that the service knows. Shows the event's members,
/// never their values.
#[derive(thiserror::Error)]
#[error(
    "unsupported event ({members}): call this function through API Gateway (an HTTP API or a REST API), a function URL, an Application \
     Load Balancer or VPC Lattice, or invoke it with {{\"prediction\": …, \"input\": …}}"
)]
pub struct UnsupportedEvent {
    members: String,
}

impl UnsupportedEvent {
    /// `errorType` of the failed invocation. Step Functions can catch it.
    pub const NAME: &'static str = "UnsupportedEvent";

    pub(super) fn new(json: &str) -> Self {
        let Names(names) = serde_json::from_str(json).unwrap_or_default();
        let members = match names {
            Some(names) if names.is_empty() => "an object without members".to_owned(),
            Some(names) => format!("its members are {}", names.join(", ")),
            None => "not an object".to_owned(),
        };
        Self { members }
    }
}

/// The runtime logs a failed invocation's error in this form.
impl fmt::Debug for UnsupportedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<UnsupportedEvent> for Diagnostic {
    fn from(error: UnsupportedEvent) -> Self {
        Self { error_type: UnsupportedEvent::NAME.to_owned(), error_message: error.to_string() }
    }
}

/// The names of an object's first members, quoted; `None` for other values.
#[derive(Default)]
struct Names(Option<Vec<String>>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Enough to recognise an event.
        const MOST: usize = 20;
        const LONGEST: usize = 64;

        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((Text(name), IgnoredAny)) = members.next_entry::<Text<'de>, IgnoredAny>()? {
                    match names.len() {
                        MOST => names.push("…".to_owned()),
                        0..MOST => names.push(format!("{:?}", name.chars().take(LONGEST).collect::<String>())),
                        _ => {}
                    }
                }
                Ok(Names(Some(names)))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsupported_event_is_described_by_its_members_and_never_by_their_values() {
        let described = |json: &str| UnsupportedEvent::new(json).members;
        assert_eq!(described(r#"{"Records": ["secret"], "a\nb": 1}"#), r#"its members are "Records", "a\nb""#);
        assert_eq!(described("{}"), "an object without members");
        for json in ["[1]", "null", "\"secret\"", "7", ""] {
            assert_eq!(described(json), "not an object");
        }
        let many: serde_json::Map<_, _> = (0..1000).map(|n| (n.to_string().repeat(1000), 0.into())).collect();
        let many = described(&serde_json::Value::Object(many).to_string());
        assert!(many.len() < 2000 && many.ends_with(", …"), "{many}");
    }
}
