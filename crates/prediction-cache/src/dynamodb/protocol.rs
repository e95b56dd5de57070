//! The bodies of DynamoDB's requests and replies: JSON, with bytes in base64 and numbers as text.

use std::collections::{HashMap, HashSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{Fault, Lookup, Tier};

/// The errors that a repetition does not mend, because the caller may not do this or the table does not exist.
const REFUSALS: [&str; 8] = [
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
];

/// Of `BatchGetItem`. Reads are eventually consistent: they cost half, and an entry that is not seen yet is computed again.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetRequest<'a> {
    request_items: HashMap<&'a str, Keys<Key<Text<'a>>>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Keys<K> {
    keys: Vec<K>,
}

#[derive(Deserialize, Serialize)]
struct Key<T> {
    key: T,
}

#[derive(Serialize)]
enum Text<'a> {
    #[serde(rename = "S")]
    String(&'a str),
}

impl<'a> GetRequest<'a> {
    pub(super) fn new(table: &'a str, keys: impl Iterator<Item = &'a str>) -> Self {
        let keys = keys.map(|key| Key { key: Text::String(key) }).collect();
        Self { request_items: HashMap::from([(table, Keys { keys })]) }
    }
}

/// Of `BatchWriteItem`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutRequest<'a> {
    request_items: HashMap<&'a str, Vec<Put<Item>>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Put<I> {
    put_request: PutItem<I>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutItem<I> {
    item: I,
}

#[derive(Deserialize, Serialize)]
struct Item {
    key: Attribute,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Attribute>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Attribute>,
}

/// An attribute's value of any type; types that entries do not have are ignored.
#[derive(Default, Deserialize, Serialize)]
struct Attribute {
    #[serde(rename = "S", default, skip_serializing_if = "Option::is_none")]
    string: Option<String>,
    #[serde(rename = "B", default, skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
    #[serde(rename = "N", default, skip_serializing_if = "Option::is_none")]
    number: Option<String>,
}

impl<'a> PutRequest<'a> {
    /// `entries` are keys, values and the seconds since 1970 when they expire.
    pub(super) fn new<'e>(table: &'a str, entries: impl Iterator<Item = (&'e str, &'e Bytes, u64)>) -> Self {
        let item = |(key, value, expires): (&str, &Bytes, u64)| Item {
            key: Attribute { string: Some(key.to_owned()), ..Attribute::default() },
            value: Some(Attribute { bytes: Some(STANDARD.encode(value)), ..Attribute::default() }),
            expires: Some(Attribute { number: Some(expires.to_string()), ..Attribute::default() }),
        };
        let puts = entries.map(|entry| Put { put_request: PutItem { item: item(entry) } }).collect();
        Self { request_items: HashMap::from([(table, puts)]) }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetReply {
    /// By table.
    responses: HashMap<String, Vec<Item>>,
    #[serde(default)]
    unprocessed_keys: HashMap<String, Keys<Key<Attribute>>>,
}

/// An item of the reply.
pub(super) struct Found {
    pub(super) key: String,
    pub(super) lookup: Lookup,
    /// In seconds since 1970.
    pub(super) expires: Option<u64>,
}

impl GetReply {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Fault> {
        serde_json::from_slice(body).map_err(|_| not_the_protocol())
    }

    pub(super) fn unprocessed(&self) -> HashSet<String> {
        let keys = self.unprocessed_keys.values().flat_map(|table| &table.keys);
        keys.filter_map(|key| key.key.string.clone()).collect()
    }

    pub(super) fn found(self) -> impl Iterator<Item = Found> {
        self.responses.into_values().flatten().filter_map(|Item { key, value, expires }| {
            let value = value.and_then(|value| value.bytes).map(|value| STANDARD.decode(value));
            let lookup = match value {
                Some(Ok(value)) => Lookup::Hit(value.into(), Tier::DynamoDb),
                Some(Err(_)) => Lookup::Corrupt,
                // Another program's item.
                None => Lookup::Foreign,
            };
            let expires = expires.and_then(|expires| expires.number?.parse().ok());
            Some(Found { key: key.string?, lookup, expires })
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutReply {
    unprocessed_items: HashMap<String, Vec<Put<Item>>>,
}

impl PutReply {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Fault> {
        serde_json::from_slice(body).map_err(|_| not_the_protocol())
    }

    pub(super) fn unprocessed(&self) -> HashSet<String> {
        let items = self.unprocessed_items.values().flatten();
        items.filter_map(|put| put.put_request.item.key.string.clone()).collect()
    }
}

/// Never quotes a reply.
fn not_the_protocol() -> Fault {
    Fault::Connection("the answer is not in DynamoDB's protocol".to_owned())
}

/// The fault that an error reply stands for, by its code: `ThrottlingException`.
pub(super) fn fault(status: StatusCode, body: &[u8]) -> Fault {
    #[derive(Deserialize)]
    struct Error {
        #[serde(rename = "__type")]
        kind: String,
    }
    let error = serde_json::from_slice::<Error>(body).ok();
    // `com.amazonaws.dynamodb.v20120810#ThrottlingException`
    let code = error.as_ref().and_then(|error| error.kind.rsplit('#').next());
    match code.filter(|code| (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        Some(code) if REFUSALS.contains(&code) => Fault::Refused(code.to_owned()),
        Some(code) => Fault::Reply(code.to_owned()),
        // An answer that is not DynamoDB's, such as a proxy's or a VPC endpoint's.
        None if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            Fault::Refused(format!("HTTP {}", status.as_u16()))
        }
        None => Fault::Reply(format!("HTTP {}", status.as_u16())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reply_is_named_by_its_code_and_never_quoted() {
        let of = |body: &str| fault(StatusCode::BAD_REQUEST, body.as_bytes());
        let throttled = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"x"}"#;
        assert_eq!(of(throttled), Fault::Reply("ThrottlingException".to_owned()));
        let expired = r#"{"__type":"com.amazon.coral.service#ExpiredTokenException"}"#;
        assert_eq!(of(expired), Fault::Refused("ExpiredTokenException".to_owned()));
        for body in ["", "<html>", r#"{"__type":"a secret text"}"#, r#"{"__type":""}"#, r#"{"__type":1}"#] {
            let fault = of(body);
            assert!(matches!(&fault, Fault::Reply(text) if text == "HTTP 400"), "{body}: {fault:?}");
        }
        assert_eq!(fault(StatusCode::FORBIDDEN, b"<html>"), Fault::Refused("HTTP 403".to_owned()));
    }

    #[test]
    fn an_item_of_another_program_is_told_from_an_entry() {
        let reply = r#"{"Responses":{"t":[
            {"key":{"S":"entry"},"value":{"B":"QUNDRVBU"},"expires":{"N":"7"},"more":{"L":[]}},
            {"key":{"S":"text"},"value":{"S":"ACCEPT"}},
            {"key":{"S":"none"},"expires":{"S":"never"}},
            {"key":{"S":"broken"},"value":{"B":"%"}}
        ]},"UnprocessedKeys":{"t":{"Keys":[{"key":{"S":"later"}}]}}}"#;
        let reply = GetReply::parse(reply.as_bytes()).expect("valid");
        assert_eq!(reply.unprocessed(), HashSet::from(["later".to_owned()]));
        let found: Vec<_> = reply.found().collect();
        assert!(matches!(&found[0].lookup, Lookup::Hit(value, Tier::DynamoDb) if value == "ACCEPT"));
        assert_eq!(found[0].expires, Some(7));
        assert!(matches!(found[1].lookup, Lookup::Foreign) && matches!(found[2].lookup, Lookup::Foreign));
        assert!(matches!(found[3].lookup, Lookup::Corrupt));
        for garbage in ["", "{}", "[]", "OK"] {
            assert!(matches!(GetReply::parse(garbage.as_bytes()), Err(Fault::Connection(_))), "{garbage}");
            assert!(matches!(PutReply::parse(garbage.as_bytes()), Err(Fault::Connection(_))), "{garbage}");
        }
    }
}
