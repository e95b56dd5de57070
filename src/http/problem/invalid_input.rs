//! The problems of bodies that are no valid input, with a pointer to each invalid field.

use std::borrow::Cow;

use model_package::{FieldError, FieldErrorCode, InvalidInput, ItemError, ItemProblem};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::{Problem, ProblemKind};

impl From<InvalidInput> for Problem {
    fn from(invalid: InvalidInput) -> Self {
        use ProblemKind::{InvalidFields, InvalidJson};
        match invalid {
            InvalidInput::Empty => Self::new(InvalidJson, "the body is empty; it must be a JSON object"),
            InvalidInput::Syntax(error) => Self::new(InvalidJson, format!("the body is not valid JSON: {error}")),
            InvalidInput::NotAnObject(kind) => {
                Self::new(InvalidFields, format!("the body must be a JSON object, or an array of them, not {kind}"))
            }
            InvalidInput::NoInputs(most) => {
                Self::new(InvalidFields, format!("an array must hold 1 to {most} inputs, not 0"))
            }
            InvalidInput::TooManyInputs(most) => {
                Self::new(InvalidFields, format!("an array must hold 1 to {most} inputs, and this one holds more"))
            }
            InvalidInput::Fields { errors, unlisted } => Self {
                errors: errors.into_iter().map(|error| PointedError::new("#", error)).collect(),
                ..Self::new(InvalidFields, format!("one or more fields are invalid; see errors{}", others(unlisted)))
            },
            InvalidInput::Items { errors, unlisted } => Self {
                errors: errors.into_iter().map(PointedError::from).collect(),
                ..Self::new(InvalidFields, format!("one or more inputs are invalid; see errors{}", others(unlisted)))
            },
        }
    }
}

/// 400 for a body that is not JSON. Names the numbers that many programs write although JSON does not have them.
pub(in crate::http) fn invalid_json(body: &[u8], error: &serde_json::Error) -> Problem {
    let detail = match no_number(body, error) {
        Some(word) => format!(
            "the body is not valid JSON: {word} at line {} column {} is not a JSON value; where a value is missing, send null or leave the \
             field out",
            error.line(),
            error.column()
        ),
        None => format!("the body is not valid JSON: {error}"),
    };
    Problem::new(ProblemKind::InvalidJson, detail)
}

/// `NaN` or an infinity, if that is where the parser stopped.
fn no_number(body: &[u8], error: &serde_json::Error) -> Option<&'static str> {
    let line = body.split(|byte| *byte == b'\n').nth(error.line().checked_sub(1)?)?;
    let at = error.column().checked_sub(1)?.min(line.len());
    let is_word = |byte: &u8| byte.is_ascii_alphabetic();
    let start = line[..at].iter().rposition(|byte| !is_word(byte)).map_or(0, |before| before + 1);
    let word = line[start..].split(|byte| !is_word(byte)).next()?;
    ["NaN", "Infinity", "inf"].into_iter().find(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

fn others(unlisted: usize) -> String {
    if unlisted == 0 { String::new() } else { format!(" ({unlisted} more are not listed)") }
}

/// An error of a field or an item of the body.
#[derive(Debug, Serialize)]
pub(super) struct PointedError {
    /// The name for the log: the model's, or that of the field that an unknown one resembles.
    #[serde(skip)]
    pub(super) logged: String,
    pointer: String,
    pub(super) code: FieldErrorCode,
    detail: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<String>,
}

impl PointedError {
    /// `object` is the pointer to the object that has the field.
    fn new(object: &str, error: FieldError) -> Self {
        let FieldError { field, code, detail, received, suggestion } = error;
        let pointer = pointer(object, &field);
        let logged = match code {
            FieldErrorCode::Unknown => "?".to_owned(),
            FieldErrorCode::Missing | FieldErrorCode::Invalid | FieldErrorCode::Repeated => field,
        };
        Self { logged, pointer, code, detail, received, suggestion }
    }
}

impl From<ItemError> for PointedError {
    fn from(ItemError { position, problem }: ItemError) -> Self {
        let item = format!("#/{position}");
        match problem {
            ItemProblem::Field(error) => Self::new(&item, error),
            ItemProblem::NotAnObject(kind) => Self {
                logged: "#".to_owned(),
                pointer: item,
                code: FieldErrorCode::Invalid,
                detail: "must be a JSON object".into(),
                received: Some(kind.to_owned()),
                suggestion: None,
            },
        }
    }
}

/// The characters to percent-encode in a URI fragment (RFC 3986, 3.5).
const NOT_IN_FRAGMENT: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/')
    .remove(b'?');

/// `#/name`: a JSON Pointer (RFC 6901), in which `~` and `/` are escaped, as a URI fragment.
fn pointer(object: &str, field: &str) -> String {
    let escaped = field.replace('~', "~0").replace('/', "~1");
    format!("{object}/{}", utf8_percent_encode(&escaped, &NOT_IN_FRAGMENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_detail_for_a_body_that_is_not_an_object_says_what_it_must_be() {
        let detail = |invalid: InvalidInput| Problem::from(invalid).detail.into_owned();
        assert_eq!(detail(InvalidInput::Empty), "the body is empty; it must be a JSON object");
        assert_eq!(
            detail(InvalidInput::NotAnObject("null")),
            "the body must be a JSON object, or an array of them, not null"
        );
        assert_eq!(
            detail(InvalidInput::Items { errors: Vec::new(), unlisted: 3 }),
            "one or more inputs are invalid; see errors (3 more are not listed)"
        );
    }

    #[test]
    fn the_names_of_invalid_fields_for_the_log_are_counted_and_never_the_clients() {
        let error = |field: &str, code| {
            let detail = "must be valid".into();
            FieldError { field: field.to_owned(), code, detail, received: Some("4711".to_owned()), suggestion: None }
        };
        let items =
            [("age", FieldErrorCode::Invalid), ("age", FieldErrorCode::Invalid), ("Mr Smith", FieldErrorCode::Unknown)];
        let items = items
            .into_iter()
            .zip(0..)
            .map(|((field, code), position)| ItemError { position, problem: ItemProblem::Field(error(field, code)) });
        let other = ItemError { position: 9, problem: ItemProblem::NotAnObject("null") };
        let errors = items.chain([other]).collect();
        let problem = Problem::from(InvalidInput::Items { errors, unlisted: 0 });
        assert_eq!(problem.invalid_fields().as_deref(), Some("#:invalid ?:unknown age:invalid*2"));
        assert_eq!(Problem::from(InvalidInput::Empty).invalid_fields(), None);
    }

    #[test]
    fn a_number_that_json_does_not_have_is_named() {
        let detail = |body: &str| {
            let error = serde_json::from_str::<serde_json::Value>(body).expect_err(body);
            invalid_json(body.as_bytes(), &error).detail.into_owned()
        };
        for (body, word, place) in [
            ("{\"a\": NaN}", "NaN", "line 1 column 7"),
            ("{\"a\": 1,\n \"b\":NaN}", "NaN", "line 2 column 6"),
            ("[{\"a\": -Infinity}]", "Infinity", "line 1 column 9"),
            ("{\"a\": Infinity}", "Infinity", "line 1 column 7"),
            ("{\"a\": inf}", "inf", "line 1 column 7"),
        ] {
            let expected = format!("the body is not valid JSON: {word} at {place} is not a JSON value; ");
            assert!(detail(body).starts_with(&expected), "{}", detail(body));
        }
        for body in ["{\"NaN\": x}", "{", "{\"a\": \"NaN\" b}", ""] {
            assert!(!detail(body).contains("is not a JSON value"), "{}", detail(body));
        }
    }

    #[test]
    fn a_pointer_is_a_valid_uri_fragment_for_any_field_name() {
        assert_eq!(pointer("#", "age_in_years"), "#/age_in_years");
        assert_eq!(pointer("#/3", "age_in_years"), "#/3/age_in_years");
        assert_eq!(pointer("#", ""), "#/");
        assert_eq!(pointer("#", "a/b~c"), "#/a~1b~0c");
        assert_eq!(pointer("#", "50 % ä\n\""), "#/50%20%25%20%C3%A4%0A%22");
    }
}
