//! The categorical attributes of an application, with the codes of the data set.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

/// A closed set of named values. A value's position in [`Category::ALL`] is its code: in the model's input and in the
/// cache's key.
pub trait Category: Copy + Sized + 'static {
    /// The attribute's name in a request.
    const FIELD: &'static str;
    /// What the attribute says, for the documentation.
    const MEANING: &'static str;
    /// Each value with its name in a request, in the order of the data set's codebook.
    const ALL: &'static [(Self, &'static str)];

    /// The position in [`Category::ALL`], from 0.
    fn code(self) -> u8;

    /// The value of this name. The data set writes a space before the colon (`male : single`): that is the same value.
    fn from_name(name: &str) -> Option<Self> {
        let find = |name: &str| Self::ALL.iter().find(|(_, known)| *known == name).map(|(value, _)| *value);
        find(name).or_else(|| find(&name.replace(" :", ":")))
    }

    /// The allowed names as a sentence: `must be one of "yes", "no"`.
    fn allowed() -> Cow<'static, str> {
        let names: Vec<_> = Self::ALL.iter().map(|(_, name)| format!("\"{name}\"")).collect();
        format!("must be one of {}", names.join(", ")).into()
    }
}

macro_rules! category {
    (
        $(#[doc = $meaning:literal])+
        $name:ident, $field:literal {
            $( $(#[$attribute:meta])* $variant:ident = $text:literal, )+
        }
    ) => {
        $(#[doc = $meaning])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $( $(#[$attribute])* $variant, )+ }

        impl Category for $name {
            const FIELD: &'static str = $field;
            const MEANING: &'static str = concat!($($meaning),+).trim_ascii();
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$variant, $text)),+];

            fn code(self) -> u8 {
                self as u8
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some(Self::MEANING))
                    .enum_values(Some(Self::ALL.iter().map(|(_, name)| *name)))
                    .build()
                    .into()
            }
        }

        impl ToSchema for $name {}
    };
}

category! {
    /// Whether the applicant is a foreign worker, as the data set calls it.
    ForeignWorker, "foreign_worker" {
        /// A201
        Yes = "yes",
        /// A202
        No = "no",
    }
}

category! {
    /// How long the applicant has been in the present employment.
    PresentEmploymentSince, "present_employment_since" {
        /// A71
        Unemployed = "unemployed",
        /// A72
        LessThanOneYear = "... < 1 year",
        /// A73
        OneToFourYears = "1 <= ... < 4 years",
        /// A74
        FourToSevenYears = "4 <= ... < 7 years",
        /// A75
        SevenYearsOrMore = "... >= 7 years",
    }
}

category! {
    /// Personal status and sex, in the five combinations of the data set's codebook.
    PersonalStatusAndSex, "personal_status_and_sex" {
        /// A91
        MaleDivorcedOrSeparated = "male: divorced/separated",
        /// A92
        FemaleDivorcedSeparatedOrMarried = "female: divorced/separated/married",
        /// A93
        MaleSingle = "male: single",
        /// A94
        MaleMarriedOrWidowed = "male: married/widowed",
        /// A95: in the codebook, but on none of the 1,000 applications. The model gives it no weight.
        FemaleSingle = "female: single",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes_are_positions<C: Category>() {
        for (position, (value, name)) in C::ALL.iter().enumerate() {
            assert_eq!(usize::from(value.code()), position);
            assert_eq!(C::from_name(name).map(C::code), Some(value.code()));
        }
    }

    #[test]
    fn a_code_is_the_position_and_a_name_reads_back() {
        codes_are_positions::<ForeignWorker>();
        codes_are_positions::<PresentEmploymentSince>();
        codes_are_positions::<PersonalStatusAndSex>();
    }

    #[test]
    fn the_data_sets_spelling_is_the_same_value_and_others_are_none() {
        assert_eq!(PersonalStatusAndSex::from_name("male : single"), Some(PersonalStatusAndSex::MaleSingle));
        for unknown in ["", "male:single", "male  : single", "Male: single", "male: single "] {
            assert_eq!(PersonalStatusAndSex::from_name(unknown), None, "{unknown:?}");
        }
    }
}
