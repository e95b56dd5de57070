//! The cases of `rules.toml`. The exporter is tested with the same file, so that both allow and refuse the same packages.

use predict_once::model::Model;
use toml::{Table, Value};

use crate::packages::{identity, package};

/// The tables of a `model.toml`; a rule's case replaces some of them.
struct Manifest {
    name: String,
    input: String,
    fields: Vec<String>,
    predictions: Vec<String>,
    examples: Vec<String>,
    golden: String,
}

impl Manifest {
    fn text(&self) -> String {
        let mut text = format!("name = {}\n", self.name);
        let arrays = [("fields", &self.fields), ("predictions", &self.predictions), ("examples", &self.examples)];
        for (key, _) in arrays.iter().filter(|(_, entries)| entries.is_empty()) {
            text.push_str(&format!("{key} = []\n"));
        }
        text.push_str(&format!("[input]\n{}\n[golden]\n{}\n", self.input, self.golden));
        for (key, entries) in arrays {
            text.extend(entries.iter().map(|entry| format!("[[{key}]]\n{entry}\n")));
        }
        text
    }
}

/// A manifest in which the value is subject to the rule, and the prefix of the entries that a violation is reported for.
fn case(rule: &str, value: &Value) -> (Manifest, &'static str) {
    let written = toml(value);
    let mut manifest = Manifest {
        name: toml(&"rules".into()),
        input: String::new(),
        fields: vec![field("a", "type = \"number\"")],
        predictions: vec![prediction("a", "a", "A")],
        examples: Vec::new(),
        golden: String::new(),
    };
    let text_field = |values: &str| vec![field("a", &format!("type = \"string\"\nvalues = {values}"))];
    let class = |values: &str| {
        let kind = format!("kind = \"class\"\noutput = 0\nvalues = {values}");
        vec![format!("name = \"a\"\nendpoint = \"a\"\nschema = \"A\"\n{kind}")]
    };
    let bounded = |kind: &str| {
        let bounds: Vec<_> = table(value).iter().map(|(key, limit)| format!("{key} = {}", toml(limit))).collect();
        vec![field("a", &format!("type = {kind}\n{}", bounds.join("\n")))]
    };
    let entry = match rule {
        "package_name" => {
            manifest.name = written;
            "name"
        }
        "input_name" => {
            manifest.input = format!("name = {written}");
            "[input] name"
        }
        "field_name" => {
            manifest.fields = vec![field(text(value), "type = \"number\"")];
            "field "
        }
        "field_names" => {
            manifest.fields = items(value).map(|name| field(text(name), "type = \"number\"")).collect();
            "field "
        }
        "number_of_fields" => {
            manifest.fields = numbered(value).map(|name| field(&name, "type = \"number\"")).collect();
            "fields"
        }
        "value" => {
            manifest.fields = text_field(&format!("[{written}]"));
            "field "
        }
        "alias" => {
            manifest.fields = text_field(&format!("[{{ name = \"other\", aliases = [{written}] }}]"));
            "field "
        }
        "values" => {
            manifest.fields = text_field(&written);
            "field "
        }
        "number_of_values" => {
            manifest.fields = text_field(&list(numbered(value)));
            "field "
        }
        "number_of_all_values" => {
            // The remainder are aliases.
            let count = value.as_integer().expect("a number");
            let aliases = list((0..count % 10).map(|alias| format!("a{alias}")));
            let field_of = |number: i64| {
                let names: Vec<_> = (1..count / 10).map(|value| format!("\"n{value}\"")).collect();
                let aliases = if number == 0 { aliases.as_str() } else { "[]" };
                let first = format!("{{ name = \"first\", aliases = {aliases} }}");
                let values = std::iter::once(first).chain(names).collect::<Vec<_>>().join(", ");
                field(&format!("n{number}"), &format!("type = \"string\"\nvalues = [{values}]"))
            };
            manifest.fields = (0..10).map(field_of).collect();
            "fields"
        }
        "unknown_fields" => {
            manifest.input = format!("unknown_fields = {written}");
            "line "
        }
        "prediction_name" => {
            manifest.predictions = vec![prediction(text(value), "a", "A")];
            "prediction "
        }
        "prediction_names" => {
            manifest.predictions =
                each(value, |name, number| prediction(name, &format!("e{number}"), &format!("S{number}")));
            "prediction "
        }
        "number_of_predictions" => {
            manifest.predictions = numbered(value).map(|name| prediction(&name, &name, &name)).collect();
            "predictions"
        }
        "endpoint" => {
            manifest.predictions = vec![prediction("a", text(value), "A")];
            "prediction "
        }
        "endpoints" => {
            manifest.predictions =
                each(value, |endpoint, number| prediction(&format!("p{number}"), endpoint, &format!("S{number}")));
            "prediction "
        }
        "schema" => {
            manifest.predictions = vec![prediction("a", "a", text(value))];
            "prediction "
        }
        "name_without_schema" => {
            manifest.predictions = vec![format!("name = {written}\nendpoint = \"a\"\nkind = \"value\"\noutput = 0")];
            "prediction "
        }
        "schemas" => {
            let mut schemas = items(value);
            manifest.input = format!("name = {}", toml(schemas.next().expect("the input's")));
            manifest.predictions = (0..)
                .zip(schemas)
                .map(|(number, schema)| prediction(&format!("p{number}"), &format!("e{number}"), text(schema)))
                .collect();
            "prediction "
        }
        "class" => {
            manifest.predictions = class(&format!("[{written}, \"other\"]"));
            "prediction "
        }
        "classes" => {
            manifest.predictions = class(&written);
            "prediction "
        }
        "number_of_classes" => {
            manifest.predictions = class(&list(numbered(value)));
            "prediction "
        }
        "number_bounds" => {
            manifest.fields = bounded("\"number\"");
            "field "
        }
        "integer_bounds" => {
            manifest.fields = bounded("\"integer\"");
            "field "
        }
        "boolean_bounds" => {
            manifest.fields = bounded("\"boolean\"");
            "field "
        }
        "string_bounds" => {
            manifest.fields = bounded("\"string\"\nvalues = [\"a\"]");
            "field "
        }
        "date_bounds" => {
            manifest.fields = bounded("\"date\"");
            "field "
        }
        "datetime_bounds" => {
            manifest.fields = bounded("\"datetime\"");
            "field "
        }
        "example_name" => {
            manifest.examples = vec![example(text(value))];
            "example "
        }
        "example_names" => {
            manifest.examples = each(value, |name, _| example(name));
            "example "
        }
        "tolerance" | "max_other_class" => {
            manifest.golden = format!("{rule} = {written}");
            "[golden]"
        }
        _ => panic!("rules.toml has a rule without a test: {rule}"),
    };
    (manifest, entry)
}

fn field(name: &str, lines: &str) -> String {
    format!("name = {}\n{lines}", toml(&name.into()))
}

fn prediction(name: &str, endpoint: &str, schema: &str) -> String {
    let [name, endpoint, schema] = [name, endpoint, schema].map(|text| toml(&text.into()));
    format!("name = {name}\nendpoint = {endpoint}\nschema = {schema}\nkind = \"value\"\noutput = 0")
}

fn example(name: &str) -> String {
    format!("name = {}\ninput = {{ a = 1 }}", toml(&name.into()))
}

/// As many different names as the case specifies.
fn numbered(value: &Value) -> impl Iterator<Item = String> {
    (0..value.as_integer().expect("a number")).map(|number| format!("n{number}"))
}

fn each(value: &Value, entry: impl Fn(&str, usize) -> String) -> Vec<String> {
    items(value).enumerate().map(|(number, item)| entry(text(item), number)).collect()
}

fn list(names: impl Iterator<Item = String>) -> String {
    toml(&Value::Array(names.map(Value::from).collect()))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("an array").iter()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn table(value: &Value) -> &Table {
    value.as_table().expect("a table")
}

/// A value as TOML on one line.
fn toml(value: &Value) -> String {
    match value {
        // TOML escapes the same characters as JSON, and the delete character.
        Value::String(text) => serde_json::Value::from(text.as_str()).to_string().replace('\u{7f}', "\\u007F"),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) if number.is_nan() => "nan".to_owned(),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(value) => value.to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Table(entries) => {
            let entries: Vec<_> = entries.iter().map(|(key, value)| format!("{key} = {}", toml(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Datetime(_) => panic!("no rule is about dates"),
    }
}

/// A case's value with `{ repeat = "a", times = 3 }` expanded.
fn expanded(value: &Value) -> Value {
    match value.get("repeat") {
        Some(repeated) => {
            let times = value["times"].as_integer().and_then(|times| usize::try_from(times).ok()).expect("a count");
            text(repeated).repeat(times).into()
        }
        None => value.clone(),
    }
}

#[test]
fn the_service_allows_and_refuses_what_the_rules_say() {
    let rules: Table = toml::from_str(include_str!("rules.toml")).expect("TOML");
    for (rule, cases) in &rules {
        for (verdict, values) in table(cases) {
            assert!(["allowed", "refused"].contains(&verdict.as_str()), "{rule}: {verdict}");
            for value in items(values) {
                let (manifest, entry) = case(rule, &expanded(value));
                let graph = identity(manifest.fields.len());
                let mistakes = match Model::load(package(manifest.text(), graph)) {
                    Ok(_) => Vec::new(),
                    Err(error) => error.mistakes,
                };
                assert_eq!(mistakes.is_empty(), verdict == "allowed", "{rule}: {value:?}: {mistakes:?}");
                assert!(
                    mistakes.iter().all(|mistake| mistake.entry.starts_with(entry)),
                    "{rule}: {value:?}: {mistakes:?}"
                );
            }
        }
    }
}
