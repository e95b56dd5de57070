//! Reads single variables.

use std::{fmt, str::FromStr};

/// An invalid setting.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {problem}")]
pub struct SettingsError {
    pub variable: &'static str,
    /// A sentence whose subject is the variable: `must be true or false`.
    pub problem: String,
}

pub(super) fn error(variable: &'static str, problem: impl Into<String>) -> SettingsError {
    SettingsError { variable, problem: problem.into() }
}

/// Looks up variables; tests supply their own.
pub(super) struct Environment<L>(pub(super) L);

impl<L: Fn(&'static str) -> Result<Option<String>, SettingsError>> Environment<L> {
    pub(super) fn get(&self, variable: &'static str) -> Result<Option<String>, SettingsError> {
        Ok((self.0)(variable)?.filter(|value| !value.is_empty()))
    }

    /// A whole number from `least` to `most`, inclusive.
    pub(super) fn number<N>(&self, variable: &'static str, default: N, least: N, most: N) -> Result<N, SettingsError>
    where
        N: FromStr + PartialOrd + fmt::Display,
    {
        let Some(value) = self.get(variable)? else { return Ok(default) };
        value
            .parse()
            .ok()
            .filter(|number| (&least..=&most).contains(&number))
            .ok_or_else(|| error(variable, format!("must be a whole number from {least} to {most}")))
    }

    /// A number from 0 to 1; unset is 1.
    pub(super) fn share(&self, variable: &'static str) -> Result<f64, SettingsError> {
        let Some(value) = self.get(variable)? else { return Ok(1.0) };
        let share = value.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        share.ok_or_else(|| error(variable, "must be a number from 0 to 1"))
    }

    /// `true` or `false`; unset is false.
    pub(super) fn flag(&self, variable: &'static str) -> Result<bool, SettingsError> {
        match self.get(variable)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(error(variable, "must be true or false")),
        }
    }
}
