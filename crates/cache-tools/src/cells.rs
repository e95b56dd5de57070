//! Converts the cells of a CSV row to an input in JSON.

use model_package::{Signature, closest_match, field::Kind};
use serde_json::{Map, Number, Value};

/// The columns of the file, which are fields of the model.
pub(crate) struct Columns(Vec<Column>);

struct Column {
    name: String,
    cell_type: CellType,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CellType {
    Number,
    Boolean,
    Text,
    Json,
}

impl Columns {
    /// From the header line. Every column must be a field, and every required field a column.
    pub(crate) fn new<'a>(model: &Signature, names: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mut columns: Vec<Column> = Vec::new();
        for name in names {
            let Some(field) = model.fields().iter().find(|field| field.name() == name) else {
                let fields = model.fields().iter().map(|field| field.name());
                let hint = closest_match(name, fields).map(|field| format!("; did you mean {field:?}?"));
                let hint = hint.unwrap_or_default();
                return Err(format!("column {name:?} is not a field of the model: rename or remove it{hint}"));
            };
            if columns.iter().any(|column| column.name == name) {
                return Err(format!("duplicate column {name:?}"));
            }
            let cell_type = match field.kind() {
                Kind::Number(_) => CellType::Number,
                Kind::Boolean => CellType::Boolean,
                Kind::Category(_) | Kind::Date(_) | Kind::Text(_) | Kind::Image(_) => CellType::Text,
                Kind::Array(_) => CellType::Json,
            };
            columns.push(Column { name: name.to_owned(), cell_type });
        }
        let absent = |name: &str| columns.iter().all(|column| column.name != name);
        match model.fields().iter().find(|field| field.is_required() && absent(field.name())) {
            Some(field) => Err(format!("column {:?} is missing: the first line must name the fields", field.name())),
            None => Ok(Self(columns)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// A JSON object of a row's cells, without empty ones. A cell that does not parse stays a string, so that the model's validation
    /// reports it.
    pub(crate) fn to_json<'a>(&self, cells: impl Iterator<Item = &'a str>) -> String {
        let filled = self.0.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
        let members = filled.map(|(Column { name, cell_type }, cell)| (name.clone(), value(*cell_type, cell)));
        Value::Object(members.collect::<Map<_, _>>()).to_string()
    }
}

fn value(cell_type: CellType, cell: &str) -> Value {
    let trimmed = cell.trim();
    match cell_type {
        CellType::Number => {
            let integer = trimmed.parse::<i64>().ok().map(Number::from);
            integer.or_else(|| trimmed.parse().ok().and_then(Number::from_f64)).map(Value::Number)
        }
        CellType::Boolean if trimmed.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
        CellType::Boolean if trimmed.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
        CellType::Json => serde_json::from_str(trimmed).ok(),
        CellType::Boolean | CellType::Text => None,
    }
    .unwrap_or_else(|| Value::from(cell))
}

#[cfg(test)]
mod tests {
    use model_package::{Declaration, Precision};

    use super::*;

    #[test]
    fn a_cell_is_converted_to_the_type_of_its_field() {
        for (cell_type, cell, expected) in [
            (CellType::Number, " 30 ", "30"),
            (CellType::Number, "9007199254740993", "9007199254740993"),
            (CellType::Number, "1e-3", "0.001"),
            (CellType::Number, "NaN", "\"NaN\""),
            (CellType::Number, "thirty", "\"thirty\""),
            (CellType::Boolean, "True", "true"),
            (CellType::Boolean, "FALSE", "false"),
            (CellType::Boolean, "1", "\"1\""),
            (CellType::Json, " [[1, 0.5]]", "[[1,0.5]]"),
            (CellType::Json, "[1", "\"[1\""),
            (CellType::Text, "3", "\"3\""),
            (CellType::Text, " a ", "\" a \""),
        ] {
            assert_eq!(value(cell_type, cell).to_string(), expected, "{cell}");
        }
    }

    #[test]
    fn every_column_is_a_field_and_every_required_field_a_column() {
        let toml = include_str!("../../../models/credit_risk/model.toml");
        let graph = Declaration::unknown(Precision::Float32);
        let model = Signature::parse(toml, &graph, &model_package::Files::new())
            .unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let mut names: Vec<_> = model.fields().iter().rev().map(|field| field.name()).collect();
        assert!(Columns::new(&model, names.iter().copied()).is_ok());
        let error = |names: &[&str]| Columns::new(&model, names.iter().copied()).err().expect("refused");
        assert!(error(&[&names[..], &["age"]].concat()).contains("\"age\" is not a field"));
        assert!(error(&[&names[..], &names[..1]].concat()).contains("duplicate"));
        let absent = names.remove(0);
        assert!(error(&names).contains(&format!("column {absent:?} is missing")));
    }
}
