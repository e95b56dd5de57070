//! Fields whose value is one of a closed set of names.

use std::{borrow::Cow, fmt::Write};

use serde_json::{Value, json};

use super::{Field, Json, closest};

/// A closed set of named values. A value's position in [`Category::ALL`] is its code: in the model's input and in the
/// cache's key.
pub trait Category: Copy + Sized + 'static {
    /// The field's name in a request.
    const FIELD: &'static str;
    /// What the field says, for the documentation.
    const MEANING: &'static str;
    /// Each value, its name in a request and what it means, in the order of their codes.
    const ALL: &'static [(Self, &'static str, &'static str)];

    /// The position in [`Category::ALL`], from 0.
    fn code(self) -> u8;

    /// The names of all values, in the order of their codes.
    fn names() -> impl Iterator<Item = &'static str> + Clone {
        Self::ALL.iter().map(|(_, name, _)| *name)
    }

    /// The value of this name. Space before a colon (`male : single`, as data sets have it) makes no difference.
    fn from_name(name: &str) -> Option<Self> {
        let find = |name: &str| Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(value, ..)| *value);
        find(name).or_else(|| find(&name.replace(" :", ":")))
    }
}

impl<C: Category> Field for C {
    const NAME: &'static str = C::FIELD;

    fn read(value: &Json<'_>) -> Option<Self> {
        match value {
            Json::Text(name) => C::from_name(name),
            _ => None,
        }
    }

    /// The names: `must be one of "yes", "no"`.
    fn allowed() -> Cow<'static, str> {
        let names: Vec<_> = C::names().map(|name| format!("\"{name}\"")).collect();
        format!("must be one of {}", names.join(", ")).into()
    }

    /// The name that is most like what was sent; a boolean is a yes or a no.
    fn suggestion(value: &Json<'_>) -> Option<String> {
        let meant = match value {
            Json::Text(text) => closest(text, C::names()),
            Json::Bool(answer) => C::names().find(|name| *name == if *answer { "yes" } else { "no" }),
            _ => None,
        };
        meant.map(|name| format!("\"{name}\""))
    }

    fn schema() -> Value {
        let mut description = format!("{}\n", C::MEANING);
        for (_, name, meaning) in C::ALL {
            // Writing to a String does not fail.
            let _ = write!(description, "\n* `{name}`: {meaning}");
        }
        let names: Vec<_> = C::names().collect();
        json!({ "type": "string", "description": description, "enum": names })
    }
}

/// An enum that is a [`Category`]. Its documentation comments are the meanings that the API's documentation gives.
#[allow(unused_macros, reason = "a domain may have no categories")]
macro_rules! category {
    (
        $(#[doc = $meaning:literal])+
        $name:ident, $field:literal {
            $( $(#[doc = $value_meaning:literal])+ $variant:ident = $text:literal, )+
        }
    ) => {
        $(#[doc = $meaning])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $( $(#[doc = $value_meaning])+ $variant, )+ }

        impl $crate::input::Category for $name {
            const FIELD: &'static str = $field;
            const MEANING: &'static str = concat!($($meaning),+).trim_ascii();
            const ALL: &'static [(Self, &'static str, &'static str)] =
                &[$((Self::$variant, $text, concat!($($value_meaning),+).trim_ascii())),+];

            fn code(self) -> u8 {
                self as u8
            }
        }
    };
}

pub(crate) use category;

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro is for the domain's public types")]
mod tests {
    use super::*;

    category! {
        /// What it is painted.
        Colour, "colour" {
            /// as the sky
            Blue = "dark: blue",
            /// as grass
            Green = "green",
        }
    }

    #[test]
    fn a_code_is_the_position_and_a_name_reads_back() {
        for (position, (value, name, _)) in Colour::ALL.iter().enumerate() {
            assert_eq!(usize::from(value.code()), position);
            assert_eq!(Colour::from_name(name).map(Colour::code), Some(value.code()));
        }
    }

    #[test]
    fn a_space_before_the_colon_makes_no_difference_and_anything_else_does() {
        assert_eq!(Colour::from_name("dark : blue"), Some(Colour::Blue));
        for unknown in ["", "dark:blue", "dark  : blue", "Green", "green "] {
            assert_eq!(Colour::from_name(unknown), None, "{unknown:?}");
        }
    }
}
