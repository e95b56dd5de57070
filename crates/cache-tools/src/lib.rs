//! `predict-once cache …`: reports on the service's Redis, inspects an entry, computes predictions ahead of requests. `predict-once gain`:
//! what a cache would bring.
//!
//! ```text
//! arguments ─► Tool ─┬─► report:  INFO, a bounded sample of keys ─► table or JSON, warnings
//!                    ├─► inspect: one key ─► fields and answers by name
//!                    └─► warm:    rows ─► inputs ─► batches, paced and resumable
//! ```
//!
//! The tools connect as the service does, and never run a command whose time grows with the number of keys. Only `inspect` prints inputs.
//! The benches use the plots, too.

mod arguments;
pub mod break_even;
mod cells;
pub mod format;
pub mod gain;
mod info;
mod inspect;
mod nodes;
mod report;
mod rows;
mod sample;
pub mod svg;
mod warm;

use std::{fmt::Display, sync::Arc};

use model_package::{EntryContent, Explained, Input, ModelError, Output, Signature};
use prediction_cache::{Fault, Layout, Namespace, ParsedKey, Signer, redis::RedisConfig};

pub use self::arguments::{HELP, Invocation, Tool, WarmOptions};
use self::{inspect::Inspection, report::CacheReport};

/// Why a tool failed.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    #[error("Redis at {address}: {fault}")]
    Unreachable { address: String, fault: Fault },
    #[error("Redis command {command} failed: {fault}")]
    Refused { command: &'static str, fault: Fault },
    /// The file of inputs cannot be read.
    #[error("{file}: {problem}")]
    File { file: String, problem: String },
    #[error("CACHE_PER_TENANT is set: --tenant ID is required")]
    NoTenant,
    #[error("--tenant requires CACHE_PER_TENANT=true: without it, the service does not read tenants' entries")]
    NotPerTenant,
    #[error("the model has no contributions to store (docs/explanations.md): leave out --explain")]
    NoContributions,
    /// The signal handler cannot be installed.
    #[error("operating system error: {0}")]
    System(#[from] std::io::Error),
}

/// The model, as far as the tools need it.
pub trait Model: Send + Sync {
    fn signature(&self) -> &Signature;

    /// Identifies the model in the keys of entries that store `stored`.
    fn fingerprint(&self, content: EntryContent) -> &str;

    /// # Errors
    ///
    /// If the graph fails.
    fn run(&self, input: &Input) -> Result<Output, ModelError>;

    /// The contributions of the fields to the score.
    ///
    /// # Errors
    ///
    /// If the package has no contributions, or the graph fails.
    fn explain(&self, input: &Input) -> Result<Explained, ModelError>;
}

/// The service whose cache the tools read and fill.
pub struct Target {
    pub model: Arc<dyn Model>,
    pub redis: RedisConfig,
    /// `CACHE_SIGNING_KEY`
    pub signer: Signer,
    /// `CACHE_NAMESPACE`
    pub namespace: Namespace,
    /// `CACHE_LAYOUT`
    pub layout: Layout,
    /// `CACHE_PER_TENANT`
    pub per_tenant: bool,
}

#[derive(Debug)]
pub struct ToolOutput {
    /// For the standard output.
    pub text: String,
    /// The exit status.
    pub status: u8,
}

impl Tool {
    /// # Errors
    ///
    /// If Redis or the file cannot be used.
    pub async fn run(self, target: Target) -> Result<ToolOutput, ToolError> {
        match self {
            Self::Report { json } => {
                let report = CacheReport::of(&target).await?;
                Ok(ToolOutput { text: render(&report, json), status: 0 })
            }
            Self::Inspect { key, json } => {
                let inspection = Inspection::of(&target, &key).await?;
                Ok(ToolOutput { text: render(&inspection, json), status: u8::from(!inspection.is_served) })
            }
            Self::Warm(options) => warm::run(target, options).await,
        }
    }
}

impl Target {
    /// The fingerprint in keys of this layout.
    fn fingerprint(&self, layout: Layout) -> &str {
        self.model.fingerprint(entry_content(layout))
    }

    /// Whether the key's tenant matches `CACHE_PER_TENANT`: set when entries are per tenant, absent otherwise.
    fn matches_tenancy(&self, key: &ParsedKey<'_>) -> bool {
        key.tenant.is_some() == self.per_tenant
    }

    fn unreachable(&self, fault: Fault) -> ToolError {
        ToolError::Unreachable { address: self.redis.connection.addr().to_string(), fault }
    }
}

/// What the entries of a layout contain.
fn entry_content(layout: Layout) -> EntryContent {
    match layout {
        Layout::String | Layout::Hash => EntryContent::Answer,
        Layout::Output => EntryContent::Output,
    }
}

fn refused(command: &'static str) -> impl Fn(Fault) -> ToolError {
    move |fault| ToolError::Refused { command, fault }
}

fn render<T: Display + serde::Serialize>(value: &T, json: bool) -> String {
    // Serialising cannot fail: the keys are strings and the numbers finite.
    if json { serde_json::to_string_pretty(value).unwrap_or_default() } else { value.to_string() }
}
