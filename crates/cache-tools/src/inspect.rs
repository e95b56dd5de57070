//! `predict-once cache inspect`: what a key and its entry say.

use std::fmt;

use bytes::Bytes;
use model_package::DecodedField;
use prediction_cache::{Fault, Layout, ParsedKey};
use redis::{Cmd, cmd, from_redis_value};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Subject, ToolError,
    nodes::RedisNodes,
    refused, stored,
    words::{bytes, duration, row},
};
/// What a key and its entry say.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Inspection {
    /// The key.
    pub(super) key: String,
    /// Whether the service, as it is configured, would answer with this entry.
    pub(super) is_served: bool,
    /// What the key is, and why the service would not answer with it.
    pub(super) notes: Vec<String>,
    /// The layout of the key, if it is one of this model.
    pub(super) layout: Option<&'static str>,
    /// The tenant's name in keys, if the entry is a tenant's own.
    pub(super) tenant: Option<String>,
    /// The fields of the input by name, if the key is one of this model and not a digest.
    pub(super) input: Vec<InspectedField>,
    /// Bytes in Redis, as text, by prediction; the output by the name `output`.
    pub(super) stored: Map<String, Value>,
    /// The answers that they give, by prediction.
    pub(super) answers: Map<String, Value>,
    /// Whether there is such a key. `None` if Redis does not say.
    pub(super) exists: Option<bool>,
    /// How long it will live. `None` if that is not limited, or unknown.
    pub(super) ttl_seconds: Option<u64>,
    /// How long ago it was used. Redis knows this, or how often, depending on its policy.
    pub(super) idle_seconds: Option<u64>,
    /// How often it is used, on Redis's logarithmic scale from 0 to 255.
    pub(super) frequency: Option<u64>,
    /// `MEMORY USAGE`
    pub(super) memory_bytes: Option<u64>,
}

/// A field of an input.
#[derive(Clone, Debug, Serialize)]
pub(super) struct InspectedField {
    /// Its name.
    pub(super) name: String,
    /// Its value: a number, a text, a boolean, the limits of a band, or null.
    pub(super) value: Value,
    /// The same for people.
    pub(super) text: String,
}

impl Inspection {
    pub(super) async fn of(subject: &Subject, key: &str) -> Result<Self, ToolError> {
        let mut found = Self { key: key.to_owned(), ..Self::default() };
        let ours = found.explain_key(subject, key);
        let redis = RedisNodes::connect(&subject.redis).await.map_err(|fault| subject.unreachable(fault))?;
        found.look_around(&redis, key).await?;
        let Some(parsed) = ours else { return Ok(found) };
        let names: Vec<_> = match (parsed.layout, parsed.prediction) {
            (Layout::Hash, _) => {
                subject.model.signature().predictions().iter().map(|prediction| prediction.name()).collect()
            }
            (Layout::String, Some(name)) => vec![name],
            _ => vec!["output"],
        };
        let read = match parsed.layout {
            Layout::String | Layout::Output => Cmd::get(key),
            Layout::Hash => {
                let mut fields = cmd("HMGET");
                fields.arg(key).arg(&names);
                fields
            }
        };
        let command = if parsed.layout == Layout::Hash { "HMGET" } else { "GET" };
        let values: Vec<Option<Vec<u8>>> = match redis.all::<redis::Value>(vec![read]).await.remove(0) {
            Ok(redis::Value::Array(values)) => {
                values.into_iter().map(|value| from_redis_value(value).ok().flatten()).collect()
            }
            Ok(value) => vec![from_redis_value(value).ok().flatten()],
            Err(Fault::WrongType) => {
                found.notes.push("the key holds another type of value: another program has written it".to_owned());
                return Ok(found);
            }
            Err(fault) => return Err(refused(command)(fault)),
        };
        for (name, value) in names.iter().zip(values) {
            let Some(value) = value.map(Bytes::from) else { continue };
            found.stored.insert((*name).to_owned(), String::from_utf8_lossy(&value).into());
            let answers = answers(subject, parsed.layout, name, &value);
            if answers.is_empty() {
                found
                    .notes
                    .push(format!("{name}: not what the service would have stored; it is a miss, and is overwritten"));
            }
            found
                .answers
                .extend(answers.iter().filter_map(|body| serde_json::from_slice::<Map<_, _>>(body).ok()).flatten());
        }
        if found.stored.is_empty() && found.exists == Some(true) {
            found.notes.push("the Hash has no prediction of this model".to_owned());
        }
        found.is_served =
            !found.answers.is_empty() && parsed.layout == subject.layout && subject.is_of_this_tenancy(&parsed);
        Ok(found)
    }

    /// Says what a key is, and names its fields. `None` if it is not one of this model.
    fn explain_key<'a>(&mut self, subject: &Subject, key: &'a str) -> Option<ParsedKey<'a>> {
        let model = subject.model.signature();
        let Some(parsed) = ParsedKey::parse(key) else {
            self.notes.push(
                "not a key of a prediction, which has the form namespace:fingerprint:prediction:input".to_owned(),
            );
            return None;
        };
        self.tenant = parsed.tenant.map(str::to_owned);
        if !subject.is_of_this_tenancy(&parsed) {
            self.notes.push(if subject.per_tenant {
                "of no tenant, which a service with CACHE_PER_TENANT=true does not read".to_owned()
            } else {
                "a tenant's own, which only a service with CACHE_PER_TENANT=true reads".to_owned()
            });
        }
        if parsed.namespace != subject.namespace.as_str() {
            let (theirs, ours) = (parsed.namespace, subject.namespace.as_str());
            self.notes.push(format!("of another namespace: {theirs}, while CACHE_NAMESPACE is {ours}"));
        }
        let fingerprint = subject.fingerprint(parsed.layout);
        if parsed.fingerprint != fingerprint {
            let name = &model.name;
            self.notes.push(format!(
                "of another model, or another version: its fingerprint is {}, that of {name} is {fingerprint}; only a service \
                 with that model reads it, and only its package can decode the input (MODEL_DIR)",
                parsed.fingerprint
            ));
            return None;
        }
        if let Some(name) = parsed.prediction
            && !model.predictions().iter().any(|prediction| prediction.name() == name)
        {
            self.notes.push(format!("the model has no prediction {name:?}"));
            return None;
        }
        if parsed.layout != subject.layout {
            let (theirs, ours) = (parsed.layout.name(), subject.layout.name());
            self.notes.push(format!("of the layout {theirs}, which a service with CACHE_LAYOUT={ours} does not read"));
        }
        self.layout = Some(parsed.layout.name());
        if parsed.is_digested() {
            self.notes.push(
                "the input is over 200 bytes long: the key holds its digest, from which it cannot be read".to_owned(),
            );
        } else {
            match model.decode(parsed.input) {
                Some(fields) => self.input = fields.into_iter().map(InspectedField::from).collect(),
                None => self
                    .notes
                    .push("no input of this model prints as this one: another program has written the key".to_owned()),
            }
        }
        (parsed.namespace == subject.namespace.as_str()).then_some(parsed)
    }

    /// What Redis knows of a key. What the user may not ask, or Redis does not know, is left out.
    async fn look_around(&mut self, redis: &RedisNodes, key: &str) -> Result<(), ToolError> {
        let about = |words: [&str; 2]| {
            let mut command = cmd(words[0]);
            command.arg(words[1]).arg(key);
            command
        };
        // Reading the entry counts as use: that comes later.
        let commands =
            vec![about(["OBJECT", "FREQ"]), about(["OBJECT", "IDLETIME"]), about(["MEMORY", "USAGE"]), Cmd::pttl(key)];
        let answers = redis.all::<Option<i64>>(commands).await.into_iter().map(|answer| match answer {
            Ok(answer) => Ok(answer),
            Err(Fault::Reply(_)) => Ok(None),
            Err(fault) => Err(refused("what it knows of the key")(fault)),
        });
        let answers = answers.collect::<Result<Vec<_>, _>>()?;
        let known = |position: usize| answers[position].and_then(|number: i64| u64::try_from(number).ok());
        [self.frequency, self.idle_seconds, self.memory_bytes] = [0, 1, 2].map(known);
        self.ttl_seconds = known(3).map(|milliseconds| milliseconds / 1000);
        self.exists = answers[3].map(|milliseconds| milliseconds != -2);
        match answers[3] {
            Some(-2) => {
                self.notes.push("there is no such key: it was never stored, has expired, or was evicted".to_owned())
            }
            Some(-1) => self.notes.push("it has no time to live: another program has written or changed it".to_owned()),
            _ => {}
        }
        Ok(())
    }
}

/// The bodies of the responses that a value in Redis gives.
fn answers(subject: &Subject, layout: Layout, name: &str, value: &Bytes) -> Vec<Bytes> {
    let (signature, columns) = (subject.model.signature(), subject.model.output_columns());
    let predictions = signature.predictions().iter().enumerate();
    let named = predictions.filter(|(_, prediction)| layout == Layout::Output || prediction.name() == name);
    named.filter_map(|(position, _)| stored(layout).read(signature, columns, position, value)).collect()
}

impl From<DecodedField> for InspectedField {
    fn from(field: DecodedField) -> Self {
        Self { name: field.name, value: field.value, text: field.text }
    }
}

/// A table for people.
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
        let verdict =
            if self.is_served { "the service answers with this entry" } else { "the service does not answer with it" };
        write!(f, "\n{verdict}")?;
        self.notes.iter().try_for_each(|note| write!(f, "\n  {note}"))
    }
}
