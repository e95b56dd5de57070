//! `predict-once cache …`: runs the tools of the crate `cache-tools` with this service's settings and model.

use std::{process::ExitCode, sync::Arc};

use anyhow::bail;
use cache_tools::{Asked, HELP, Subject, Tool};
use lexopt::Parser;
use model_package::{Input, ModelError, Output, Signature, Stored};
use predict_once::{model::Model, service::Caching, settings::Settings};

use super::{load, print};

pub(super) fn run(arguments: Parser) -> anyhow::Result<ExitCode> {
    let tool = match Tool::parse(arguments) {
        Ok(Asked::Run(tool)) => tool,
        Ok(Asked::Help) => return print(HELP.trim_end()),
        Err(mistake) => {
            eprintln!("Error: {mistake}\nSee: predict-once cache --help");
            return Ok(ExitCode::from(2));
        }
    };
    let settings = Settings::from_env()?;
    let model = load(settings.model_dir.as_deref())?;
    let Some(redis) = settings.cache.redis else {
        bail!("REDIS_URL is not set: the cache commands need the Redis that the service uses");
    };
    let Caching { namespace, layout, per_tenant, .. } = settings.caching;
    let subject = Subject { model: Arc::new(LoadedModel(model)), redis, namespace, layout, per_tenant };
    let printed = crate::on_this_thread(async { anyhow::Ok(tool.run(subject).await?) })?;
    print(&printed.text)?;
    Ok(ExitCode::from(printed.status))
}

/// The crate `cache-tools` has its own trait for models.
struct LoadedModel(Model);

impl cache_tools::Model for LoadedModel {
    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn fingerprint(&self, stored: Stored) -> &str {
        self.0.fingerprint(stored)
    }

    fn output_columns(&self) -> usize {
        self.0.output_columns()
    }

    fn run(&self, input: &Input) -> Result<Output, ModelError> {
        self.0.run(input)
    }
}
