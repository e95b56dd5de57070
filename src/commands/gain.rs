//! `predict-once gain`: runs the tool of the crate `cache-tools` with this service's settings and a model.

use std::{path::Path, process::ExitCode, sync::Arc};

use anyhow::bail;
use cache_tools::gain::{self, GainOptions, HELP, Service};
use lexopt::Parser;
use model_package::printable;
use predict_once::settings::{Settings, StoreSettings, memory_limit};
use prediction_cache::KeySpace;

use super::{cache::LoadedModel, load, load_served, print};

pub(super) fn run(arguments: Parser) -> anyhow::Result<ExitCode> {
    let options = match GainOptions::parse(arguments) {
        Ok(Some(options)) => options,
        Ok(None) => return print(HELP.trim_end()),
        Err(error) => {
            eprintln!("Error: {}\nSee: predict-once gain --help", printable(&error.to_string()));
            return Ok(ExitCode::from(2));
        }
    };
    let settings = Settings::from_env()?;
    let redis = match settings.cache.store {
        Some(StoreSettings::Redis(config)) => Some(*config),
        Some(StoreSettings::DynamoDb(_)) => {
            bail!("CACHE_STORE is dynamodb: `predict-once gain` measures lookups in Redis only")
        }
        None => None,
    };
    let model = match options.directory.as_deref().map(Path::new) {
        Some(directory) => load(Some(directory))?,
        None => crate::on_this_thread(load_served(&settings.model, false))?,
    };
    let content = settings.caching.entry_content();
    let keys = KeySpace::new(&settings.caching.namespace, settings.caching.layout, model.fingerprint(content));
    let service = Service {
        model: Arc::new(LoadedModel(model)),
        redis,
        keys,
        content,
        cost_per_gb_second: settings.server.dashboard.cost_per_gb_second,
        gigabytes: memory_limit().map_or(1.0, |bytes| bytes as f64 / f64::from(1 << 30)),
    };
    let output = crate::on_this_thread(async { anyhow::Ok(gain::run(service, options).await?) })?;
    print(output.text.trim_end())?;
    Ok(ExitCode::from(output.status))
}
