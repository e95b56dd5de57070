//! `predict-once cache …`: runs the tools of the crate `cache-tools` with this service's settings and model.

use std::{process::ExitCode, sync::Arc};

use anyhow::bail;
use cache_tools::{HELP, Invocation, Target, Tool};
use lexopt::Parser;
use model_package::{EntryContent, Explained, Input, ModelError, Output, Signature, printable};
use predict_once::{
    model::Model,
    service::Caching,
    settings::{CacheSettings, Settings, StoreSettings},
};

use super::{load_served, print};

pub(super) fn run(arguments: Parser) -> anyhow::Result<ExitCode> {
    let tool = match Tool::parse(arguments) {
        Ok(Invocation::Run(tool)) => tool,
        Ok(Invocation::Help) => return print(HELP.trim_end()),
        Err(error) => {
            eprintln!("Error: {}\nSee: predict-once cache --help", printable(&error.to_string()));
            return Ok(ExitCode::from(2));
        }
    };
    let settings = Settings::from_env()?;
    let model = crate::on_this_thread(load_served(&settings.model, false))?;
    let CacheSettings { store, signer, .. } = settings.cache;
    let redis = match store {
        Some(StoreSettings::Redis(redis)) => *redis,
        Some(StoreSettings::DynamoDb(_)) => bail!(
            "CACHE_STORE is dynamodb: `predict-once cache` works on Redis only. Hits and misses: `predict-once stats URL`, with the \
             METRICS_ADDRESS of a running process"
        ),
        None => bail!(
            "REDIS_URL is not set: `predict-once cache` requires the service's Redis. The cache in a process's memory: \
             `predict-once stats URL`, with its METRICS_ADDRESS"
        ),
    };
    let Caching { namespace, layout, per_tenant, .. } = settings.caching;
    let target = Target { model: Arc::new(LoadedModel(model)), redis, signer, namespace, layout, per_tenant };
    let output = crate::on_this_thread(async { anyhow::Ok(tool.run(target).await?) })?;
    print(&output.text)?;
    Ok(ExitCode::from(output.status))
}

/// Implements the tools' interface of a model.
pub(super) struct LoadedModel(pub(super) Model);

impl cache_tools::Model for LoadedModel {
    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn fingerprint(&self, content: EntryContent) -> &str {
        self.0.fingerprint(content)
    }

    fn run(&self, input: &Input) -> Result<Output, ModelError> {
        self.0.run(input)
    }

    fn explain(&self, input: &Input) -> Result<Explained, ModelError> {
        self.0.explain(input)
    }
}
