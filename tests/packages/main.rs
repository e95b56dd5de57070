//! Model packages: properties of each package, mistakes that are found, the contents of the fingerprint, and how a package is served
//! and checked.
//!
//! The folders beside this file are test packages, listed in [`every_package`].

mod command;
mod contributions;
mod credit_risk;
mod diff;
mod every_package;
mod fingerprints;
mod float64;
mod golden;
mod images;
mod inputs;
mod mistakes;
mod networks;
mod predictions;
mod rows;
mod rules;
mod schema;
mod spellings;
mod tensors;
mod texts;

use test_support::packages;
