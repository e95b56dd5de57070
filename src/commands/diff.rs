//! `predict-once diff OLD NEW`: what changes for clients and for the cache when a package replaces another.

use std::fmt::{self, Write};

use anyhow::Context;
use model_package::{EntryContent, Field, field::Kind};
use predict_once::{http, model::Model};
use serde_json::{Map, Value, json};

/// Schema entries that only describe.
const TEXTS: [&str; 3] = ["description", "examples", "title"];

pub(super) struct Diff {
    lines: Vec<Line>,
    fingerprints: [String; 2],
    outputs_differ: bool,
}

struct Line {
    what: String,
    /// Whether requests that were answered may be refused, or answers may surprise the client.
    breaks: bool,
}

/// The parts of an OpenAPI document that a package determines.
struct Described {
    fields: Map<String, Value>,
    required: Vec<Value>,
    ignores_unknown: bool,
    /// The largest number of items of each array, and of pixels of each image, which no schema can hold.
    sizes: Map<String, Value>,
    /// The answer's schema under the prediction's member, by endpoint.
    answers: Map<String, Value>,
    /// Whether answers can explain themselves.
    explains: bool,
}

impl Diff {
    pub(super) fn between(old: &Model, new: &Model) -> anyhow::Result<Self> {
        let described = [Described::of(old)?, Described::of(new)?];
        let fingerprints = [old, new].map(|model| model.fingerprint(EntryContent::Answer).to_owned());
        let outputs_differ = old.fingerprint(EntryContent::Output) != new.fingerprint(EntryContent::Output);
        let mut diff = Self { lines: Vec::new(), fingerprints, outputs_differ };
        diff.fields(&described);
        diff.answers(&described);
        Ok(diff)
    }

    /// Whether some client may have to change.
    pub(super) fn breaks(&self) -> bool {
        self.lines.iter().any(|line| line.breaks)
    }

    fn line(&mut self, breaks: bool, what: String) {
        self.lines.push(Line { what, breaks });
    }

    fn fields(&mut self, [old, new]: &[Described; 2]) {
        let is_required = |described: &Described, name: &str| described.required.iter().any(|field| field == name);
        for (name, before) in &old.fields {
            let Some(after) = new.fields.get(name) else {
                self.line(!new.ignores_unknown, format!("field {name:?} is gone"));
                continue;
            };
            match (is_required(old, name), is_required(new, name)) {
                (false, true) => self.line(true, format!("field {name:?} is required")),
                (true, false) => self.line(false, format!("field {name:?} is no longer required")),
                (true, true) | (false, false) => {}
            }
            let sizes = changes(&old.sizes[name], &new.sizes[name]);
            for change in changes(before, after).into_iter().chain(sizes) {
                self.line(change.narrows(), format!("field {name:?}: {change}"));
            }
        }
        for name in new.fields.keys().filter(|name| !old.fields.contains_key(*name)) {
            let required = is_required(new, name);
            let kind = if required { "required" } else { "optional" };
            self.line(required, format!("field {name:?} is new and {kind}"));
        }
        match (old.ignores_unknown, new.ignores_unknown) {
            (true, false) => self.line(true, "unknown fields are refused".to_owned()),
            (false, true) => self.line(false, "unknown fields are ignored".to_owned()),
            (true, true) | (false, false) => {}
        }
    }

    fn answers(&mut self, [old, new]: &[Described; 2]) {
        for (endpoint, before) in &old.answers {
            let Some(after) = new.answers.get(endpoint) else {
                self.line(true, format!("POST {endpoint} is gone"));
                continue;
            };
            for change in changes(before, after) {
                self.line(change.widens(), format!("POST {endpoint}: {change}"));
            }
        }
        for endpoint in new.answers.keys().filter(|endpoint| !old.answers.contains_key(*endpoint)) {
            self.line(false, format!("POST {endpoint} is new"));
        }
        match (old.explains, new.explains) {
            (true, false) => self.line(true, "explanations (`?explain`) are gone".to_owned()),
            (false, true) => self.line(false, "explanations (`?explain`) are new".to_owned()),
            (true, true) | (false, false) => {}
        }
    }
}

impl Described {
    fn of(model: &Model) -> anyhow::Result<Self> {
        let mut document = http::openapi_document(model)?;
        let schemas = document["components"]["schemas"].take();
        let signature = model.signature();
        let input = &schemas[&signature.input_name];
        let answer = |prediction: &model_package::Prediction| {
            let answer = json!({ prediction.name(): schemas[prediction.schema()] });
            (format!("/{}", prediction.endpoint()), answer)
        };
        let mut answers: Map<_, _> = signature.predictions().iter().map(answer).collect();
        if let Some(reasons) = signature.contributions()
            && let Some(endpoint) = &reasons.endpoint
        {
            answers.insert(format!("/{endpoint}"), schemas[&reasons.schema].clone());
        }
        let sizes = |field: &Field| match field.kind() {
            Kind::Array(array) => json!({ "max_items": array.max_items() }),
            Kind::Image(image) => json!({ "max_pixels": image.max_pixels() }),
            Kind::Number(_) | Kind::Boolean | Kind::Category(_) | Kind::Date(_) | Kind::Text(_) => json!({}),
        };
        Ok(Self {
            sizes: signature.fields().iter().map(|field| (field.name().to_owned(), sizes(field))).collect(),
            explains: signature.contributions().is_some(),
            fields: input["properties"].as_object().cloned().context("the input has fields")?,
            required: input["required"].as_array().cloned().unwrap_or_default(),
            ignores_unknown: input["additionalProperties"] != false,
            answers,
        })
    }
}

/// An entry of a schema that differs.
struct Change<'a> {
    /// The path to the entry: `minimum`, `species.enum`.
    entry: String,
    before: Option<&'a Value>,
    after: Option<&'a Value>,
}

impl Change<'_> {
    /// The last part of the entry.
    fn key(&self) -> &str {
        self.entry.rsplit('.').next().unwrap_or(&self.entry)
    }

    /// Whether a value that was valid may not be any more.
    fn narrows(&self) -> bool {
        let [before, after] = [self.before, self.after].map(|limit| limit.and_then(Value::as_f64));
        let is_least = matches!(self.key(), "minimum" | "exclusiveMinimum" | "minLength" | "minItems");
        let is_most = matches!(
            self.key(),
            "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "max_items" | "max_pixels"
        );
        // Dates in RFC 3339, times in UTC: their order is that of the texts.
        let [earlier, later] = [self.before, self.after].map(|limit| limit.and_then(Value::as_str));
        match (self.key(), self.before, self.after) {
            ("formatMinimum", Some(_), Some(_)) => later > earlier,
            ("formatMaximum", Some(_), Some(_)) => later < earlier,
            ("formatMinimum" | "formatMaximum", Some(_), None) => false,
            (_, Some(_), Some(_)) if is_least => after > before,
            (_, Some(_), Some(_)) if is_most => after < before,
            (key, Some(_), None) if is_least || is_most || key == "enum" => false,
            ("enum" | "type", Some(before), Some(after)) => has_more(before, after),
            _ => true,
        }
    }

    /// Whether an answer is possible that was not.
    fn widens(&self) -> bool {
        match (self.before, self.after) {
            (Some(before), Some(after)) if self.entry.ends_with("enum") => has_more(after, before),
            _ => true,
        }
    }
}

/// Whether `some` has an entry that `others` lacks. A scalar is a list of one.
fn has_more(some: &Value, others: &Value) -> bool {
    let entries = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let others = entries(others);
    !entries(some).iter().all(|entry| others.contains(entry))
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entry, before, after } = self;
        match (before.and_then(|before| before.as_array()), after.and_then(|after| after.as_array())) {
            (Some(before), Some(after)) => {
                let only = |some: &[Value], others: &[Value]| -> Vec<String> {
                    some.iter().filter(|value| !others.contains(value)).map(Value::to_string).collect()
                };
                let mut text = format!("{entry}:");
                for (sign, values) in [("without", only(before, after)), ("with", only(after, before))] {
                    if !values.is_empty() {
                        // Writing to a String does not fail.
                        let _ = write!(text, " {sign} {}", values.join(", "));
                    }
                }
                if text.ends_with(':') {
                    text.push_str(" in another order");
                }
                f.write_str(&text)
            }
            _ => {
                let text = |value: &Option<&Value>| value.map_or_else(|| "none".to_owned(), Value::to_string);
                write!(f, "{entry} {} → {}", text(before), text(after))
            }
        }
    }
}

/// The entries in which two schemas differ, apart from texts.
fn changes<'a>(before: &'a Value, after: &'a Value) -> Vec<Change<'a>> {
    let mut changes = Vec::new();
    compare(String::new(), Some(before), Some(after), &mut changes);
    changes
}

fn compare<'a>(entry: String, before: Option<&'a Value>, after: Option<&'a Value>, changes: &mut Vec<Change<'a>>) {
    match (before.and_then(Value::as_object), after.and_then(Value::as_object)) {
        (Some(old), Some(new)) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(added).filter(|key| !TEXTS.contains(&key.as_str())) {
                let entry = if entry.is_empty() { key.clone() } else { format!("{entry}.{key}") };
                compare(entry, old.get(key), new.get(key), changes);
            }
        }
        _ if before == after => {}
        _ => changes.push(Change { entry, before, after }),
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { what, breaks } in &self.lines {
            writeln!(f, "{}{what}", if *breaks { "breaks clients:  " } else { "                 " })?;
        }
        if self.lines.is_empty() {
            writeln!(f, "clients          no change")?;
        }
        let [old, new] = &self.fingerprints;
        if old == new {
            write!(f, "cache            kept: the fingerprint is {new}, as before")
        } else if self.outputs_differ {
            write!(f, "cache            starts empty: the fingerprint was {old} and is {new}")
        } else {
            write!(
                f,
                "cache            starts empty, except in the layout `output`: the fingerprint was {old} and is {new}"
            )
        }
    }
}
