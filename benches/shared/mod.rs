//! What benches show with: plots for their documents, and how far they are.

#![allow(dead_code, reason = "each bench uses a part of this")]

pub(crate) mod progress;
pub(crate) mod svg;
