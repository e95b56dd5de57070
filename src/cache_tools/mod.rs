//! `predict-once cache …`: what is in this Redis and how well it does, what an entry says, and predictions computed ahead.
//!
//! ```text
//! arguments ─► Tool ─┬─► report:  INFO, a bounded sample of keys ─► table or JSON, warnings
//!                    ├─► inspect: one key ─► fields and answers by name
//!                    └─► warm:    rows ─► inputs ─► batches, paced and resumable
//! ```
//!
//! The tools read the settings of the service and connect as it does. They never run a command whose time grows with the number of
//! keys. Nothing of an input is printed, except by `inspect`, which is asked to.

mod arguments;
mod info;
mod inspect;
mod report;
mod sample;
mod warm;
mod words;

pub use self::arguments::{Asked, HELP, Tool, WarmOptions};
use self::{inspect::Inspection, report::Report};
use crate::{
    cache::{Fault, Layout, ParsedKey, RedisConfig},
    model::Model,
    service::Caching,
    settings::Settings,
};

/// Why a tool did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// There is no Redis.
    #[error("REDIS_URL is not set: these commands need the Redis that the service uses")]
    NoRedis,
    /// It cannot be reached.
    #[error("Redis at {address}: {fault}")]
    Unreachable {
        /// Its address.
        address: String,
        /// Why.
        fault: Fault,
    },
    /// It does not do what it is asked.
    #[error("Redis, asked for {command}: {fault}")]
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

/// What a tool works on: the service's model, and where its entries are.
struct Subject {
    model: Model,
    redis: RedisConfig,
    caching: Caching,
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
    /// Runs it, with the service's settings and its model.
    ///
    /// # Errors
    ///
    /// If Redis or the file cannot be used.
    pub async fn run(self, settings: Settings, model: Model) -> Result<Printed, ToolError> {
        let redis = settings.cache.redis.ok_or(ToolError::NoRedis)?;
        let subject = Subject { model, redis, caching: settings.caching };
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
        match layout {
            Layout::String | Layout::Hash => self.model.fingerprint(),
            Layout::Output => self.model.run_fingerprint(),
        }
    }

    /// Whether a key is of a tenant where each has its own entries, and of nobody where not.
    fn is_of_this_tenancy(&self, key: &ParsedKey<'_>) -> bool {
        key.tenant.is_some() == self.caching.per_tenant
    }

    fn unreachable(&self, fault: Fault) -> ToolError {
        ToolError::Unreachable { address: self.redis.connection.addr().to_string(), fault }
    }
}

fn refused(command: &'static str) -> impl Fn(Fault) -> ToolError {
    move |fault| ToolError::Refused { command, fault }
}

fn text<T: std::fmt::Display + serde::Serialize>(found: &T, json: bool) -> String {
    // What is serialised has text keys and finite numbers only.
    if json { serde_json::to_string_pretty(found).unwrap_or_default() } else { found.to_string() }
}
