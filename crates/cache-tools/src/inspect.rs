//! `predict-once cache inspect`: decodes a key and its entry.

use std::fmt;

use bytes::Bytes;
use model_package::{DecodedField, Explained, printable_line};
use prediction_cache::{CacheKey, Fault, Layout, ParsedKey, Unsigned};
use redis::{Cmd, cmd, from_redis_value};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Target, ToolError, entry_content,
    format::{bytes, duration, row},
    nodes::RedisNodes,
    refused,
};

/// A decoded key and its entry.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Inspection {
    pub(super) key: String,
    /// Whether the service, as configured, would answer with this entry.
    pub(super) is_served: bool,
    /// Reasons why the service would not answer with this entry, and other findings.
    pub(super) notes: Vec<String>,
    /// The layout of the key, if it belongs to this model.
    pub(super) layout: Option<&'static str>,
    /// The tenant's name in the key; `None` without a tenant.
    pub(super) tenant: Option<String>,
    /// The fields of the input, if the key belongs to this model and contains no digest.
    pub(super) input: Vec<InspectedField>,
    /// The values in Redis by prediction, as text; a model output under the name `output`.
    pub(super) stored: Map<String, Value>,
    /// Whether the digest in each of these values is `valid`, `missing` or `wrong`.
    pub(super) digests: Map<String, Value>,
    /// The answers of the service from these values, by prediction.
    pub(super) answers: Map<String, Value>,
    /// Whether the key exists. `None` if Redis does not say.
    pub(super) exists: Option<bool>,
    /// `None` if the entry does not expire, or Redis does not say.
    pub(super) ttl_seconds: Option<u64>,
    /// The time since the last use. Redis keeps this or `frequency`, depending on its eviction policy.
    pub(super) idle_seconds: Option<u64>,
    /// The frequency of use, on Redis's logarithmic scale from 0 to 255.
    pub(super) frequency: Option<u64>,
    /// `MEMORY USAGE`
    pub(super) memory_bytes: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct InspectedField {
    pub(super) name: String,
    /// A number, a string, a boolean, the limits of a band, or null.
    pub(super) value: Value,
    /// The value, formatted for people.
    pub(super) text: String,
}

impl Inspection {
    pub(super) async fn of(target: &Target, key: &str) -> Result<Self, ToolError> {
        let mut found = Self { key: key.to_owned(), ..Self::default() };
        let parsed = found.explain_key(target, key);
        let redis = RedisNodes::connect(&target.redis).await.map_err(|fault| target.unreachable(fault))?;
        found.query_metadata(&redis, key).await?;
        let Some(parsed) = parsed else { return Ok(found) };
        let names: Vec<_> = match (parsed.layout, parsed.prediction) {
            (Layout::Hash, _) => {
                target.model.signature().predictions().iter().map(|prediction| prediction.name()).collect()
            }
            (Layout::String, Some(name)) => vec![name],
            (Layout::String, None) | (Layout::Output, _) => vec!["output"],
        };
        let (command, read) = match parsed.layout {
            Layout::String | Layout::Output => ("GET", Cmd::get(key)),
            Layout::Hash => {
                let mut fields = cmd("HMGET");
                fields.arg(key).arg(&names);
                ("HMGET", fields)
            }
        };
        let values: Vec<Option<Vec<u8>>> = match redis.run_all::<redis::Value>(vec![read]).await.remove(0) {
            Ok(redis::Value::Array(values)) => {
                values.into_iter().map(|value| from_redis_value(value).ok().flatten()).collect()
            }
            Ok(value) => vec![from_redis_value(value).ok().flatten()],
            Err(Fault::WrongType) => {
                found.notes.push("the key holds another type of value: another program wrote it".to_owned());
                return Ok(found);
            }
            Err(fault) => return Err(refused(command)(fault)),
        };
        for (name, value) in names.iter().zip(values) {
            let Some(value) = value.map(Bytes::from) else { continue };
            found.stored.insert((*name).to_owned(), stored_text(&value).into());
            let field = (parsed.layout == Layout::Hash).then_some(*name);
            let verified = target.signer.verify(&CacheKey::from_parts(key, field), value);
            let digest = match verified {
                Ok(_) => "valid",
                Err(Unsigned::Missing) => "missing",
                Err(Unsigned::Wrong) => "wrong",
            };
            found.digests.insert((*name).to_owned(), digest.into());
            let value = match verified {
                Ok(value) => value,
                Err(unsigned) => {
                    let reason = match unsigned {
                        Unsigned::Missing => "has no digest: another program wrote it",
                        Unsigned::Wrong => {
                            "has a wrong digest: it was changed, copied from another key, or signed with another \
                             CACHE_SIGNING_KEY"
                        }
                    };
                    found.notes.push(format!("{name}: {reason}. It counts as a miss, and will be overwritten"));
                    continue;
                }
            };
            let answers = if is_contributions(target, &parsed) {
                contributions(target, &value)
            } else {
                let bodies = answers(target, parsed.layout, name, &value);
                bodies.iter().filter_map(|body| serde_json::from_slice::<Map<_, _>>(body).ok()).flatten().collect()
            };
            if answers.is_empty() {
                found.notes.push(format!(
                    "{name}: not a value that the service would store: counts as a miss, and will be overwritten"
                ));
            }
            found.answers.extend(answers);
        }
        if found.stored.is_empty() && found.exists == Some(true) {
            found.notes.push("the Hash contains no prediction of this model".to_owned());
        }
        found.is_served =
            !found.answers.is_empty() && layout(target, &parsed) == target.layout && target.matches_tenancy(&parsed);
        Ok(found)
    }

    /// Adds notes on the key, and decodes its input. `None` unless it is a key of this model and namespace.
    fn explain_key<'a>(&mut self, target: &Target, key: &'a str) -> Option<ParsedKey<'a>> {
        let model = target.model.signature();
        let Some(parsed) = ParsedKey::parse(key) else {
            self.notes
                .push("not a cache key of this service: expected namespace:fingerprint:prediction:input".to_owned());
            return None;
        };
        self.tenant = parsed.tenant.map(str::to_owned);
        if !target.matches_tenancy(&parsed) {
            self.notes.push(if target.per_tenant {
                "the key has no tenant: a service with CACHE_PER_TENANT=true does not read it".to_owned()
            } else {
                "the key belongs to a tenant: only a service with CACHE_PER_TENANT=true reads it".to_owned()
            });
        }
        if parsed.namespace != target.namespace.as_str() {
            let (actual, expected) = (parsed.namespace, target.namespace.as_str());
            self.notes.push(format!("another namespace: {actual}, but CACHE_NAMESPACE is {expected}"));
        }
        let layout = layout(target, &parsed);
        let fingerprint = target.fingerprint(layout);
        if parsed.fingerprint != fingerprint {
            let name = &model.name;
            self.notes.push(format!(
                "another model or version: the key's fingerprint is {}, that of {name} is {fingerprint}. Only a service with that \
                 model reads it, and only its package can decode the input (MODEL_DIR)",
                parsed.fingerprint
            ));
            return None;
        }
        if let Some(name) = parsed.prediction
            && !is_contributions(target, &parsed)
            && !model.predictions().iter().any(|prediction| prediction.name() == name)
        {
            self.notes.push(format!("the model has no prediction {name:?}"));
            return None;
        }
        if layout != target.layout {
            let (actual, expected) = (layout.name(), target.layout.name());
            self.notes
                .push(format!("another layout: {actual}. A service with CACHE_LAYOUT={expected} does not read it"));
        }
        self.layout = Some(layout.name());
        if parsed.is_digested() {
            self.notes.push(
                "the input is over 200 bytes long: the key contains only its digest, which cannot be decoded"
                    .to_owned(),
            );
        } else {
            match model.decode(parsed.input) {
                Some(fields) => self.input = fields.into_iter().map(InspectedField::from).collect(),
                None => {
                    self.notes.push("the input is not valid for this model: another program wrote the key".to_owned())
                }
            }
        }
        (parsed.namespace == target.namespace.as_str()).then_some(parsed)
    }

    /// Reads the key's time to live, use and memory. Leaves out what the user may not query, or Redis does not know.
    async fn query_metadata(&mut self, redis: &RedisNodes, key: &str) -> Result<(), ToolError> {
        let query = |words: [&str; 2]| {
            let mut command = cmd(words[0]);
            command.arg(words[1]).arg(key);
            command
        };
        // Reading the entry counts as use, so these commands come first.
        let commands =
            vec![query(["OBJECT", "FREQ"]), query(["OBJECT", "IDLETIME"]), query(["MEMORY", "USAGE"]), Cmd::pttl(key)];
        let answers = redis.run_all::<Option<i64>>(commands).await.into_iter().map(|answer| match answer {
            Ok(answer) => Ok(answer),
            Err(Fault::Reply(_)) => Ok(None),
            Err(fault) => Err(refused("OBJECT, MEMORY USAGE or PTTL")(fault)),
        });
        let answers = answers.collect::<Result<Vec<_>, _>>()?;
        let known = |position: usize| answers[position].and_then(|number: i64| u64::try_from(number).ok());
        [self.frequency, self.idle_seconds, self.memory_bytes] = [0, 1, 2].map(known);
        self.ttl_seconds = known(3).map(|milliseconds| milliseconds / 1000);
        self.exists = answers[3].map(|milliseconds| milliseconds != -2);
        match answers[3] {
            Some(-2) => self.notes.push("no such key: it was never stored, has expired, or was evicted".to_owned()),
            Some(-1) => self.notes.push("the key has no time to live: another program wrote or changed it".to_owned()),
            _ => {}
        }
        Ok(())
    }
}

/// Whether the key is that of contributions.
fn is_contributions(target: &Target, key: &ParsedKey<'_>) -> bool {
    let contributions = target.model.signature().contributions();
    contributions.is_some_and(|contributions| key.prediction == Some(&*contributions.name))
}

/// The layout in which a service has this key: contributions have the same form of key in all of them.
fn layout(target: &Target, key: &ParsedKey<'_>) -> Layout {
    if is_contributions(target, key) { target.layout } else { key.layout }
}

/// The contributions in an entry, by field. Their answer also has the values that a client sent. Empty if it is not valid.
fn contributions(target: &Target, entry: &[u8]) -> Map<String, Value> {
    let signature = target.model.signature();
    let read = signature.contributions().zip(Explained::from_entry(entry, signature.fields().len()));
    let shown = read.map(|(of, Explained { base, contributions })| {
        let fields = signature.fields().iter().zip(contributions);
        let fields: Map<_, _> = fields.map(|(field, number)| (field.name().to_owned(), number.into())).collect();
        (of.name.clone(), json!({ "base": base, "contributions": fields }))
    });
    shown.into_iter().collect()
}

/// The value, or its length if it is bytes.
fn stored_text(value: &[u8]) -> String {
    match str::from_utf8(value) {
        Ok(text) if !text.contains('\0') => text.to_owned(),
        _ => format!("{} bytes", value.len()),
    }
}

/// The response bodies that the service would make of a value in Redis.
fn answers(target: &Target, layout: Layout, name: &str, value: &Bytes) -> Vec<Bytes> {
    let signature = target.model.signature();
    let predictions = signature.predictions().iter().enumerate();
    let named = predictions.filter(|(_, prediction)| layout == Layout::Output || prediction.name() == name);
    named.filter_map(|(position, _)| entry_content(layout).read(signature, position, value)).collect()
}

impl From<DecodedField> for InspectedField {
    fn from(field: DecodedField) -> Self {
        Self { name: field.name, value: field.value, text: field.text }
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        row(f, "key", &self.key)?;
        if let Some(layout) = self.layout {
            row(f, "layout", layout)?;
        }
        if let Some(tenant) = &self.tenant {
            row(f, "tenant", tenant)?;
        }
        let width = self.input.iter().map(|field| field.name.chars().count()).max().unwrap_or_default();
        for (position, field) in self.input.iter().enumerate() {
            let name = if position == 0 { "input" } else { "" };
            row(f, name, format_args!("{:<width$}  {}", field.name, field.text))?;
        }
        for (position, (name, value)) in self.stored.iter().enumerate() {
            row(
                f,
                if position == 0 { "stored" } else { "" },
                format_args!("{name} {}", value.as_str().unwrap_or_default()),
            )?;
        }
        for (position, (name, digest)) in self.digests.iter().enumerate() {
            let digest = digest.as_str().unwrap_or_default();
            row(f, if position == 0 { "digest" } else { "" }, format_args!("{name} {digest}"))?;
        }
        for (position, (name, answer)) in self.answers.iter().enumerate() {
            row(f, if position == 0 { "answers" } else { "" }, format_args!("{name} {answer}"))?;
        }
        if let Some(seconds) = self.ttl_seconds {
            row(f, "expires in", duration(std::time::Duration::from_secs(seconds)))?;
        }
        if let Some(seconds) = self.idle_seconds {
            row(f, "last used", format_args!("{} ago", duration(std::time::Duration::from_secs(seconds))))?;
        }
        if let Some(frequency) = self.frequency {
            row(f, "use", format_args!("{frequency} of 255 (OBJECT FREQ, logarithmic)"))?;
        }
        if let Some(memory) = self.memory_bytes {
            row(f, "memory", format_args!("{} (MEMORY USAGE)", bytes(memory)))?;
        }
        let verdict = if self.is_served {
            "the service answers with this entry"
        } else {
            "the service does not answer with this entry"
        };
        write!(f, "\n{verdict}")?;
        self.notes.iter().try_for_each(|note| write!(f, "\n  {}", printable_line(note)))
    }
}
