//! `reason`: the text that gives a field as a reason for a score.

use super::Field;
use crate::{manifest::ReasonEntry, mistake::Entry};

/// The text that gives a field as a reason.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reason {
    Field(String),
    /// One per band.
    Bands(Vec<String>),
}

impl Field {
    /// The text that gives the field with this value, as it was sent, as a reason.
    pub(crate) fn reason_for(&self, sent: &str) -> Option<&str> {
        match self.reason.as_ref()? {
            Reason::Field(text) => Some(text),
            Reason::Bands(texts) => {
                let number: f64 = sent.parse().ok()?;
                texts.get(self.band_of(number)?).map(String::as_str)
            }
        }
    }
}

impl Reason {
    /// Checks `reason` of a field with this many bands.
    pub(crate) fn new(written: &ReasonEntry, bands: Option<usize>, entry: &mut Entry<'_>) -> Self {
        match written {
            ReasonEntry::Field(text) => Self::Field(text.clone()),
            ReasonEntry::Bands(texts) => {
                let fits = bands == Some(texts.len());
                entry.require(
                    fits,
                    match bands {
                        None => {
                            "`reason` must be a string: only a field with `bands` has a list, with one text per band"
                                .to_owned()
                        }
                        Some(bands) => format!(
                            "`reason` has {} texts, but there are {bands} bands: give one per band",
                            texts.len()
                        ),
                    },
                );
                Self::Bands(texts.clone())
            }
        }
    }
}
