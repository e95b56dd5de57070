//! For benches: the functions to compare, plots for documents, and progress on the terminal.

pub mod functions;
pub mod progress;
