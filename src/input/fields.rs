//! A JSON object, taken apart field by field.

use std::{borrow::Cow, collections::HashSet};

use super::{Field, FieldError, FieldErrorCode, InvalidInput, Json, closest};

/// How many fields that there are not are named one by one: guessing at each costs time, and naming it makes the answer longer.
const NAMED_UNKNOWN_FIELDS: usize = 20;

/// The members of an object that no field has taken yet, and what was wrong with those that were taken.
///
/// Every field must be there, once, with an allowed value, and no other field may be.
pub struct Fields<'a> {
    members: Vec<(Cow<'a, str>, Json<'a>)>,
    errors: Vec<FieldError>,
    missing: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Reads an object from JSON text.
    ///
    /// # Errors
    ///
    /// If it is not JSON, or JSON of another kind.
    pub fn from_json(text: &'a [u8]) -> Result<Self, InvalidInput> {
        if text.trim_ascii().is_empty() {
            return Err(InvalidInput::Empty);
        }
        match serde_json::from_slice(text).map_err(InvalidInput::Syntax)? {
            Json::Object(members) => Ok(Self { members, errors: Vec::new(), missing: Vec::new() }),
            other => Err(InvalidInput::NotAnObject(other.kind())),
        }
    }

    /// Takes every member of the field's name. `None` leaves an error behind.
    pub fn take<F: Field>(&mut self) -> Option<F> {
        let mut value = None;
        let mut count = 0;
        self.members.retain_mut(|(name, member)| {
            let other = name != F::NAME;
            if !other {
                count += 1;
                value = Some(std::mem::replace(member, Json::Null));
            }
            other
        });
        let error = match (count, value) {
            (1, Some(value)) => {
                if let Some(read) = F::read(&value) {
                    return Some(read);
                }
                FieldError {
                    field: F::NAME.to_owned(),
                    code: FieldErrorCode::Invalid,
                    detail: F::allowed(),
                    received: Some(value.to_string()),
                    suggestion: F::suggestion(&value),
                }
            }
            (0, _) => {
                self.missing.push(F::NAME);
                FieldError {
                    field: F::NAME.to_owned(),
                    code: FieldErrorCode::Missing,
                    detail: format!("is required and {}", F::allowed()).into(),
                    received: None,
                    suggestion: None,
                }
            }
            (times, _) => FieldError {
                field: F::NAME.to_owned(),
                code: FieldErrorCode::Repeated,
                detail: "must appear only once".into(),
                received: Some(format!("{times} members of this name")),
                suggestion: None,
            },
        };
        self.errors.push(error);
        None
    }

    /// What was made of the fields, unless one of them was wrong or there are others, each of which is reported once.
    ///
    /// # Errors
    ///
    /// Everything that is wrong.
    pub fn finish<T>(mut self, made: Option<T>) -> Result<T, InvalidInput> {
        let mut seen = HashSet::new();
        self.members.retain(|(name, _)| seen.insert(name.clone()));
        let unnamed = self.members.len().saturating_sub(NAMED_UNKNOWN_FIELDS);
        for (name, value) in self.members.drain(..).take(NAMED_UNKNOWN_FIELDS) {
            let wraps = |member: &(Cow<'_, str>, Json<'_>)| self.missing.iter().any(|field| *field == member.0);
            let suggestion = match &value {
                Json::Object(members) if members.iter().any(wraps) => Some("its fields, without an object around them"),
                _ => closest(&name, self.missing.iter().copied()),
            };
            self.errors.push(FieldError {
                suggestion: suggestion.map(str::to_owned),
                field: name.into_owned(),
                code: FieldErrorCode::Unknown,
                detail: "is not a field of the input".into(),
                received: Some(value.to_string()),
            });
        }
        if let (1.., Some(last)) = (unnamed, self.errors.last_mut()) {
            last.detail = format!("is not a field of the input, nor are {unnamed} further ones").into();
        }
        match made {
            Some(made) if self.errors.is_empty() => Ok(made),
            _ => Err(InvalidInput::Fields(self.errors)),
        }
    }
}

/// A struct that is read from a JSON object of all its fields, and no others. Its documentation comments are what the API's
/// documentation says of it.
macro_rules! object {
    ($(#[doc = $meaning:literal])+ $name:ident { $($field:ident: $kind:ty,)+ }) => {
        $(#[doc = $meaning])+
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name { $($field: $kind,)+ }

        impl $name {
            /// Reads it from JSON text: an object of all its fields, and no others.
            ///
            /// # Errors
            ///
            /// Everything that is wrong with it.
            pub fn from_json(text: &[u8]) -> Result<Self, $crate::input::InvalidInput> {
                let mut fields = $crate::input::Fields::from_json(text)?;
                $(let $field = fields.take();)+
                let made = || Some(Self { $($field: $field?,)+ });
                fields.finish(made())
            }

            /// The JSON Schema of what [`Self::from_json`] reads.
            pub fn schema() -> serde_json::Value {
                serde_json::json!({
                    "type": "object",
                    "description": concat!($($meaning),+).trim_ascii(),
                    "properties": {
                        $( (<$kind as $crate::input::Field>::NAME): <$kind as $crate::input::Field>::schema(), )+
                    },
                    "required": [ $(<$kind as $crate::input::Field>::NAME),+ ],
                    "additionalProperties": false,
                })
            }
        }
    };
}

pub(crate) use object;
