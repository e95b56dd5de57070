//! The cells of a CSV row → an input as JSON text.

use model_package::{Signature, closest_match, field::Kind};
use serde_json::{Map, Number, Value};

/// Which field each column is.
pub(super) struct Columns(Vec<Column>);

struct Column {
    name: String,
    takes: Takes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Numbers,
    Booleans,
    Texts,
}

impl Columns {
    /// Reads the first line. Each column is a field, and each field that a request must hold is a column.
    pub(super) fn new<'a>(model: &Signature, names: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mut columns: Vec<Column> = Vec::new();
        for name in names {
            let Some(field) = model.fields().iter().find(|field| field.name() == name) else {
                let fields = model.fields().iter().map(|field| field.name());
                let meant =
                    closest_match(name, fields).map(|field| format!("; did you mean {field:?}?")).unwrap_or_default();
                return Err(format!("column {name:?} is not a field of the model: rename it or leave it out{meant}"));
            };
            if columns.iter().any(|column| column.name == name) {
                return Err(format!("column {name:?} is there twice"));
            }
            let takes = match field.kind() {
                Kind::Number(_) => Takes::Numbers,
                Kind::Boolean => Takes::Booleans,
                Kind::Category(_) => Takes::Texts,
            };
            columns.push(Column { name: name.to_owned(), takes });
        }
        let absent = |name: &str| columns.iter().all(|column| column.name != name);
        match model.fields().iter().find(|field| field.is_required() && absent(field.name())) {
            Some(field) => Err(format!("there is no column {:?}: the first line must name the fields", field.name())),
            None => Ok(Self(columns)),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// An object with the cells of a row; an empty cell is left out. What is no number where one belongs stays a text, which the model
    /// refuses.
    pub(super) fn to_json<'a>(&self, cells: impl Iterator<Item = &'a str>) -> String {
        let filled = self.0.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
        let members = filled.map(|(Column { name, takes }, cell)| (name.clone(), value(*takes, cell)));
        Value::Object(members.collect::<Map<_, _>>()).to_string()
    }
}

fn value(takes: Takes, cell: &str) -> Value {
    let trimmed = cell.trim();
    match takes {
        Takes::Numbers => trimmed.parse().ok().and_then(Number::from_f64).map(Value::Number),
        Takes::Booleans if trimmed.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
        Takes::Booleans if trimmed.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
        Takes::Booleans | Takes::Texts => None,
    }
    .unwrap_or_else(|| Value::from(cell))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_becomes_what_its_field_takes() {
        for (takes, cell, expected) in [
            (Takes::Numbers, " 30 ", "30.0"),
            (Takes::Numbers, "1e-3", "0.001"),
            (Takes::Numbers, "NaN", "\"NaN\""),
            (Takes::Numbers, "thirty", "\"thirty\""),
            (Takes::Booleans, "True", "true"),
            (Takes::Booleans, "FALSE", "false"),
            (Takes::Booleans, "1", "\"1\""),
            (Takes::Texts, "3", "\"3\""),
            (Takes::Texts, " a ", "\" a \""),
        ] {
            assert_eq!(value(takes, cell).to_string(), expected, "{cell}");
        }
    }

    #[test]
    fn every_column_is_a_field_and_every_required_field_a_column() {
        let toml = include_str!("../../../../models/credit_risk/model.toml");
        let model = Signature::parse(toml).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let mut names: Vec<_> = model.fields().iter().rev().map(|field| field.name()).collect();
        assert!(Columns::new(&model, names.iter().copied()).is_ok());
        let refused = |names: &[&str]| Columns::new(&model, names.iter().copied()).err().expect("refused");
        assert!(refused(&[&names[..], &["age"]].concat()).contains("\"age\" is not a field"));
        assert!(refused(&[&names[..], &names[..1]].concat()).contains("twice"));
        let absent = names.remove(0);
        assert!(refused(&names).contains(&format!("no column {absent:?}")));
    }
}
