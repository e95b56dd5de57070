//! `predict-once cache …`: report on the Redis of the service, inspect an entry, compute predictions ahead of requests.
//!
//! ```text
//! arguments ─► Tool ─┬─► report:  INFO, a bounded sample of keys ─► table or JSON, warnings
//!                    ├─► inspect: one key ─► fields and answers by name
//!                    └─► warm:    rows ─► inputs ─► batches, paced and resumable
//! ```
//!
//! The tools connect as the service does. They never run a command whose time grows with the number of keys. They print nothing of an
//! input, except for `inspect`, whose purpose it is.

mod arguments;
mod info;
mod inspect;
mod nodes;
mod report;
mod sample;
mod warm;
mod words;

use std::{fmt::Display, sync::Arc};

use model_package::{Input, ModelError, Output, Signature, Stored};
use prediction_cache::{Fault, Layout, Namespace, ParsedKey, redis::RedisConfig};

pub use self::arguments::{Asked, HELP, Tool, WarmOptions};
use self::{inspect::Inspection, report::Report};

/// Why a tool did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It cannot be reached.
    #[error("Redis at {address}: {fault}")]
    Unreachable {
        /// Its address.
        address: String,
        /// Why.
        fault: Fault,
    },
    /// It does not do what it is asked.
    #[error("Redis command {command} failed: {fault}")]
    Refused {
        /// The command's name.
        command: &'static str,
        /// Why.
        fault: Fault,
    },
    /// The rows cannot be read at all.
    #[error("{file}: {problem}")]
    File {
        /// Their name.
        file: String,
        /// Why.
        problem: String,
    },
    /// It is not clear whose entries are meant.
    #[error("CACHE_PER_TENANT is set: --tenant ID says whose entries they are")]
    NoTenant,
    /// The entries are nobody's.
    #[error("--tenant needs CACHE_PER_TENANT=true: without it, the service reads no tenant's entries")]
    NotPerTenant,
    /// There is no runtime, or no signal handler.
    #[error("the system refuses: {0}")]
    System(#[from] std::io::Error),
}

/// A loaded model, as the tools need it.
pub trait Model: Send + Sync {
    /// What the model accepts and answers.
    fn signature(&self) -> &Signature;

    /// Identifies the model in the keys of entries that hold this.
    fn fingerprint(&self, stored: Stored) -> &str;

    /// The length of the graph's output.
    fn output_columns(&self) -> usize;

    /// Runs the graph.
    ///
    /// # Errors
    ///
    /// If the graph fails.
    fn run(&self, input: &Input) -> Result<Output, ModelError>;
}

/// The service that the tools look into: its model, its Redis, and how it names its entries.
pub struct Subject {
    /// The model that the service runs.
    pub model: Arc<dyn Model>,
    /// Its Redis.
    pub redis: RedisConfig,
    /// `CACHE_NAMESPACE`
    pub namespace: Namespace,
    /// `CACHE_LAYOUT`
    pub layout: Layout,
    /// `CACHE_PER_TENANT`
    pub per_tenant: bool,
}

/// What a tool prints.
#[derive(Debug)]
pub struct Printed {
    /// To the standard output.
    pub text: String,
    /// The exit status.
    pub status: u8,
}

impl Tool {
    /// Runs the tool.
    ///
    /// # Errors
    ///
    /// If Redis or the file cannot be used.
    pub async fn run(self, subject: Subject) -> Result<Printed, ToolError> {
        match self {
            Self::Report { json } => {
                let report = Report::of(&subject).await?;
                Ok(Printed { text: text(&report, json), status: 0 })
            }
            Self::Inspect { key, json } => {
                let inspection = Inspection::of(&subject, &key).await?;
                Ok(Printed { text: text(&inspection, json), status: u8::from(!inspection.is_served) })
            }
            Self::Warm(options) => warm::run(subject, options).await,
        }
    }
}

impl Subject {
    /// The fingerprint in the keys of a layout.
    fn fingerprint(&self, layout: Layout) -> &str {
        self.model.fingerprint(stored(layout))
    }

    /// Whether the key's tenant matches `CACHE_PER_TENANT`: set when entries are per tenant, absent otherwise.
    fn is_of_this_tenancy(&self, key: &ParsedKey<'_>) -> bool {
        key.tenant.is_some() == self.per_tenant
    }

    fn unreachable(&self, fault: Fault) -> ToolError {
        ToolError::Unreachable { address: self.redis.connection.addr().to_string(), fault }
    }
}

/// What the entries of a layout hold.
fn stored(layout: Layout) -> Stored {
    match layout {
        Layout::String | Layout::Hash => Stored::Answer,
        Layout::Output => Stored::Output,
    }
}

fn refused(command: &'static str) -> impl Fn(Fault) -> ToolError {
    move |fault| ToolError::Refused { command, fault }
}

fn text<T: Display + serde::Serialize>(found: &T, json: bool) -> String {
    // What is serialised has text keys and finite numbers only.
    if json { serde_json::to_string_pretty(found).unwrap_or_default() } else { found.to_string() }
}
