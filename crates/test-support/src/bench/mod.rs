//! What benches show with: plots for their documents, and how far they are.

pub mod functions;
pub mod progress;
pub mod svg;
