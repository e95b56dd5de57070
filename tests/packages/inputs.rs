//! Inputs generated from a package's own fields: valid ones, and ones with a single mistake.

use model_package::{
    DataType, Field, FieldErrorCode, Precision,
    field::{Array, Category, Dimension, Kind, Number},
};
use predict_once::{model::Model, model::Package};
use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};
use test_support::packages::SMALLEST_IMAGE;

pub(crate) type Body = Map<String, Value>;

/// An input with one mistake: the body's text, the wrong field, and the kind of mistake.
#[derive(Clone, Debug)]
pub(crate) struct Wrong {
    pub(crate) body: String,
    pub(crate) field: String,
    pub(crate) code: FieldErrorCode,
    /// Whether JSON Schema can detect the mistake: it cannot express repeated members or the range of float32.
    pub(crate) breaks_schema: bool,
}

/// Valid inputs: allowed values in any order; optional fields are sometimes absent or null. Aliases, which are not documented, occur
/// only if `aliases` is set.
pub(crate) fn valid(model: &Model, package: &Package, aliases: bool) -> BoxedStrategy<Body> {
    let fields = model.signature().fields().iter().enumerate().map(|(position, field)| {
        let other_names = if aliases { aliases_of(package, position) } else { Vec::new() };
        let value = value(field, other_names).prop_map(Some);
        let name = field.name().to_owned();
        let value = if field.is_required() {
            value.boxed()
        } else {
            prop_oneof![6 => value, 1 => Just(Some(Value::Null)), 1 => Just(None)].boxed()
        };
        value.prop_map(move |value| Some((name.clone(), value?)))
    });
    let members = fields.collect::<Vec<_>>().prop_shuffle();
    members.prop_map(|members| members.into_iter().flatten().collect()).boxed()
}

/// Inputs with exactly one invalid field.
pub(crate) fn wrong(model: &Model, package: &Package) -> BoxedStrategy<Wrong> {
    let mistakes = model.signature().fields().iter().enumerate().flat_map(|(position, field)| {
        let taken = aliases_of(package, position);
        wrong_values(field, &taken).into_iter().map(|wrong| (field.name().to_owned(), wrong)).collect::<Vec<_>>()
    });
    let unknown = (format!("{}_", model.signature().fields()[0].name()), Mistake::Unknown(json!(1)));
    let mistakes: Vec<_> = mistakes.chain([unknown]).collect();
    (valid(model, package, true), select(mistakes))
        .prop_map(|(mut body, (field, mistake))| {
            let whole = |body: &Body| Value::from(body.clone()).to_string();
            let with = |mut body: Body, value| {
                body.insert(field.clone(), value);
                whole(&body)
            };
            let (body, code, breaks_schema) = match mistake {
                Mistake::Missing => {
                    body.remove(&field);
                    (whole(&body), FieldErrorCode::Missing, true)
                }
                Mistake::Invalid(value) => (with(body, value), FieldErrorCode::Invalid, true),
                Mistake::NotInSchema(value) => (with(body, value), FieldErrorCode::Invalid, false),
                Mistake::Unknown(value) => (with(body, value), FieldErrorCode::Unknown, true),
                Mistake::Repeated => {
                    let value = body.remove(&field).unwrap_or_default();
                    let (name, rest) = (Value::from(field.as_str()), whole(&body));
                    let separator = if body.is_empty() { "" } else { "," };
                    let twice = format!("{{{name}:{value},{name}:{value}{separator}{}", &rest[1..]);
                    (twice, FieldErrorCode::Repeated, false)
                }
            };
            Wrong { body, field, code, breaks_schema }
        })
        .boxed()
}

#[derive(Clone, Debug)]
enum Mistake {
    Missing,
    Invalid(Value),
    NotInSchema(Value),
    Unknown(Value),
    Repeated,
}

fn value(field: &Field, aliases: Vec<String>) -> BoxedStrategy<Value> {
    match field.kind() {
        Kind::Number(number) => number_value(number, field.precision()),
        Kind::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Kind::Category(category) => {
            let names = category.values().iter().map(|value| value.name.clone());
            let known = select(names.chain(aliases).collect::<Vec<_>>()).prop_map(Value::from);
            if category.accepts_unknown() {
                prop_oneof![4 => known, 1 => "[a-zäöü ]{0,12}".prop_map(Value::from)].boxed()
            } else {
                known.boxed()
            }
        }
        Kind::Date(date) => {
            let (date, (first, last)) = (date.clone(), date.range());
            (first..=last).prop_map(move |number| json!(date.text(number))).boxed()
        }
        Kind::Array(array) => array_value(array),
        Kind::Image(_) => Just(json!(SMALLEST_IMAGE)).boxed(),
        Kind::Text(text) => {
            let most = text.max_length();
            let texts = any::<String>().prop_map(move |text| text.chars().take(most).collect::<String>());
            texts.prop_map(Value::from).boxed()
        }
    }
}

/// With 1 to 3 for each name.
fn array_value(array: &Array) -> BoxedStrategy<Value> {
    let (lower, upper) = array.bounds();
    let (lower, upper) = (lower.map_or(0.0, |bound| bound.limit), upper.map_or(255.0, |bound| bound.limit));
    let item = match array.datatype() {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => (lower..upper).prop_map(|x| json!(x)).boxed(),
        DataType::Int32 | DataType::Int64 | DataType::Uint8 => {
            (lower as i64..=upper as i64).prop_map(|x| json!(x)).boxed()
        }
        DataType::Bool => any::<bool>().prop_map(Value::from).boxed(),
    };
    let sizes: Vec<_> = array
        .shape()
        .iter()
        .map(|size| match size {
            Dimension::Fixed(size) => Just(*size).boxed(),
            Dimension::Named(_) => (1_usize..=3).boxed(),
        })
        .collect();
    sizes
        .prop_flat_map(move |sizes| {
            let items = proptest::collection::vec(item.clone(), sizes.iter().product::<usize>());
            items.prop_map(move |items| {
                let nest = |items: Vec<Value>, size: &usize| items.chunks(*size).map(Value::from).collect();
                let mut nested: Vec<Value> = sizes.iter().rev().fold(items, nest);
                nested.remove(0)
            })
        })
        .boxed()
}

fn number_value(number: &Number, precision: Precision) -> BoxedStrategy<Value> {
    // Ten digits, which every parser reads as the same double.
    let tidy = |number: f64| format!("{number:.9e}").parse::<f64>().expect("a number");
    let holds = {
        let number = number.clone();
        move |candidate: f64| is_allowed(&number, precision, candidate)
    };
    let limits = number.bands().into_iter().flatten().copied().chain([0.0, 1.0]);
    // Every integer has bounds.
    let lower = number.lower().map_or(-3.4e38, |bound| bound.limit);
    let upper = number.upper().map_or(3.4e38, |bound| bound.limit);
    let near = |limit: f64| [limit, limit - 1.0, limit + 1.0, limit - limit.abs() * 1e-3, limit + limit.abs() * 1e-3];
    let special: Vec<_> = limits.chain([lower, upper]).flat_map(near).collect();
    let whole = number.is_integer();
    let anything = prop_oneof![
        2 => select(special),
        2 => (0.0..=1.0).prop_map(move |share: f64| lower * (1.0 - share) + upper * share),
        1 => -1e3..1e3,
    ];
    let number = anything.prop_map(move |number| if whole { number.round() } else { tidy(number) });
    let number = number.prop_filter("it is not allowed", move |number| holds(*number));
    (number, any::<bool>())
        .prop_map(move |(number, as_integer)| {
            // 9007199254740992.0 may have been another integer.
            let is_rounded = number.abs() >= Precision::Float64.largest_integer();
            if whole && (as_integer || is_rounded) { json!(number as i64) } else { json!(number) }
        })
        .boxed()
}

/// Whether the documented bounds of a field allow a number.
fn is_allowed(number: &Number, precision: Precision, candidate: f64) -> bool {
    let above =
        number.lower().is_none_or(|bound| candidate > bound.limit || (candidate == bound.limit && !bound.exclusive));
    let below =
        number.upper().is_none_or(|bound| candidate < bound.limit || (candidate == bound.limit && !bound.exclusive));
    above && below && precision.round(candidate).is_finite() && (!number.is_integer() || candidate.fract() == 0.0)
}

fn wrong_values(field: &Field, aliases: &[String]) -> Vec<Mistake> {
    let mut wrong = vec![Mistake::Repeated];
    if field.is_required() {
        wrong.extend([Mistake::Missing, Mistake::Invalid(Value::Null)]);
    }
    let mut invalid = vec![json!([]), json!({}), json!([1]), json!({ "value": 1 })];
    match field.kind() {
        Kind::Number(number) => {
            invalid.extend([json!("1"), json!(true), json!("")]);
            for bound in [number.lower(), number.upper()].into_iter().flatten() {
                let away = [bound.limit - 1.0, bound.limit + 1.0, bound.limit - 1e-6, bound.limit + 1e-6, bound.limit];
                invalid.extend(
                    away.into_iter()
                        .filter(|away| !is_allowed(number, field.precision(), *away))
                        .map(|away| json!(away)),
                );
            }
            if number.is_integer() {
                invalid.extend([json!(0.5), json!(-1e-9)]);
            }
            let far = [1e39, -1e39].map(|far| (far, json!(far)));
            for (far, value) in far {
                let beyond_bound = number.lower().is_some_and(|bound| far < bound.limit)
                    || number.upper().is_some_and(|bound| far > bound.limit);
                if beyond_bound {
                    invalid.push(value);
                } else if number.bands().is_none() && field.precision() == Precision::Float32 {
                    wrong.push(Mistake::NotInSchema(value));
                }
            }
        }
        Kind::Boolean => invalid.extend([json!("true"), json!(1), json!(0), json!("")]),
        Kind::Category(category) => {
            invalid.extend([json!(1), json!(false)]);
            invalid.extend(unknown_names(category, aliases).into_iter().map(Value::from));
        }
        Kind::Date(date) => {
            invalid.extend([json!(1), json!(true)]);
            let mut texts =
                vec!["", "2026-11-31", "0000-01-01", "30.11.2026", "2026-11-30T08:15:00", "2026-11-31T08:15:00Z"];
            texts.push(if date.has_time() { "2026-11-30" } else { "2026-11-30T08:15:00Z" });
            let beyond = [date.minimum().map(|_| date.range().0 - 1), date.maximum().map(|_| date.range().1 + 1)];
            let beyond = beyond.into_iter().flatten().map(|number| json!(date.text(number)));
            wrong.extend(texts.into_iter().map(Value::from).chain(beyond).map(Mistake::NotInSchema));
        }
        Kind::Text(text) => invalid.extend([json!(1), json!(true), json!("é".repeat(text.max_length() + 1))]),
        Kind::Image(_) => {
            invalid.extend([json!(1), json!(["x"]), json!(""), json!("%"), json!("R0lGODlhAQABAAAAADs=")])
        }
        Kind::Array(array) => {
            // The rank is another, or the items are.
            let nested = array.shape().iter().fold(json!("x"), |item, _| json!([item]));
            invalid.extend([json!("1"), json!([nested]), nested]);
            if array.shape().len() == 1 {
                invalid.retain(|value| *value != json!([1]));
            }
        }
    }
    wrong.extend(invalid.into_iter().map(Mistake::Invalid));
    wrong
}

/// Texts that name no value; some are close to a name.
fn unknown_names(category: &Category, aliases: &[String]) -> Vec<String> {
    if category.accepts_unknown() {
        return Vec::new();
    }
    let names: Vec<_> = category.values().iter().map(|value| value.name.clone()).collect();
    let nearly = names.iter().flat_map(|name| [format!("{name} "), name.to_uppercase()]);
    nearly.chain([String::new()]).filter(|text| !names.contains(text) && !aliases.contains(text)).collect()
}

/// The aliases of a field's values, from the file, because the model does not expose them.
fn aliases_of(package: &Package, position: usize) -> Vec<String> {
    let manifest: Value = toml::from_str(package.manifest.toml()).expect("it has been loaded");
    let values = manifest["fields"][position]["values"].as_array().into_iter().flatten();
    let aliases = values.filter_map(|value| value["aliases"].as_array()).flatten();
    aliases.map(|alias| alias.as_str().expect("a text").to_owned()).collect()
}
