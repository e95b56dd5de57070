//! Model packages: what holds of each of them, which mistakes are found, what belongs to the fingerprint, and how a package is
//! served and checked.
//!
//! The folders beside this file are packages to test with. [`every_package`] lists them.

mod command;
mod credit_risk;
mod every_package;
mod fingerprints;
mod golden;
mod inputs;
mod mistakes;
mod predictions;
mod rules;
mod schema;

use test_support::packages;
