//! The subset of JSON Schema (2020-12) that the OpenAPI document uses. Any other keyword fails, so that nothing goes unchecked.

use serde_json::{Map, Value};

/// How a value violates a schema of `document`; `None` if it is valid.
pub(crate) fn violation(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{reference} does not resolve")),
        None => schema,
    };
    let schema = schema.as_object().unwrap_or_else(|| panic!("{schema} is not a schema"));
    schema.iter().find_map(|(keyword, limit)| broken(document, schema, keyword, limit, value))
}

fn broken(
    document: &Value,
    schema: &Map<String, Value>,
    keyword: &str,
    limit: &Value,
    value: &Value,
) -> Option<String> {
    let beyond = |is: fn(f64, f64) -> bool| {
        value.as_f64().is_none_or(|number| is(number, limit.as_f64().expect("a limit is a number")))
    };
    let members = || value.as_object().into_iter().flatten();
    let holds = match keyword {
        "type" => match limit {
            Value::Array(types) => types.iter().any(|name| is_of_type(value, name)),
            name => is_of_type(value, name),
        },
        "enum" => limit.as_array().expect("a list").contains(value),
        "minimum" => beyond(|number, limit| number >= limit),
        "maximum" => beyond(|number, limit| number <= limit),
        "exclusiveMinimum" => beyond(|number, limit| number > limit),
        "exclusiveMaximum" => beyond(|number, limit| number < limit),
        // Of dates: texts whose order is that of the days.
        "formatMinimum" => value.as_str().is_none_or(|text| text >= limit.as_str().expect("a text")),
        "formatMaximum" => value.as_str().is_none_or(|text| text <= limit.as_str().expect("a text")),
        "required" => {
            let names = limit.as_array().expect("a list").iter().map(|name| name.as_str().expect("a name"));
            value.as_object().is_none_or(|object| names.into_iter().all(|name| object.contains_key(name)))
        }
        "properties" => {
            let wrong = |(name, member): (&String, &Value)| {
                let violation = violation(document, limit.get(name)?, member)?;
                Some(format!("{name}: {violation}"))
            };
            match members().find_map(wrong) {
                Some(violation) => return Some(violation),
                None => true,
            }
        }
        "additionalProperties" => {
            let known = schema["properties"].as_object().expect("an object");
            limit.as_bool().expect("a boolean") || members().all(|(name, _)| known.contains_key(name))
        }
        "items" => value.as_array().is_none_or(|all| all.iter().all(|one| violation(document, limit, one).is_none())),
        "minItems" => value.as_array().is_none_or(|all| all.len() as u64 >= limit.as_u64().expect("a number")),
        "maxItems" => value.as_array().is_none_or(|all| all.len() as u64 <= limit.as_u64().expect("a number")),
        "uniqueItems" => value.as_array().is_none_or(|all| (1..all.len()).all(|n| !all[..n].contains(&all[n]))),
        "oneOf" => {
            let schemas = limit.as_array().expect("a list").iter();
            schemas.filter(|schema| violation(document, schema, value).is_none()).count() == 1
        }
        "description" | "examples" | "format" | "contentEncoding" | "x-unit" => true,
        other => panic!("{other} is a keyword that this does not know"),
    };
    (!holds).then(|| format!("{value} breaks {keyword}: {limit}"))
}

fn is_of_type(value: &Value, name: &Value) -> bool {
    match name.as_str().expect("a name") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        other => panic!("{other} is not a type"),
    }
}
