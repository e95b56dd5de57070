//! The settings of an AWS service: `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_CA_BUNDLE`, and the credentials in the environment.

use aws_client::{Endpoint, Service};
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_credential_types::provider::SharedCredentialsProvider;

use super::{Environment, SettingsError, certificates, error};

/// An AWS service that the setting `needed_by` uses.
pub(super) fn service<L>(
    env: &Environment<L>,
    name: &'static str,
    url_variable: &'static str,
    needed_by: &str,
) -> Result<Service, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    let missing = || error("AWS_REGION", format!("must be set with {needed_by}"));
    let region = env.get("AWS_REGION")?.ok_or_else(missing)?;
    let mut endpoint = None;
    for variable in [url_variable, "AWS_ENDPOINT_URL"] {
        if let Some(url) = env.get(variable)? {
            let url = Endpoint::parse(&url).ok_or_else(|| error(variable, Endpoint::ALLOWED))?;
            endpoint.get_or_insert(url);
        }
    }
    let invalid = || error("AWS_REGION", "must be the name of a region");
    let endpoint = endpoint.or_else(|| Endpoint::of(name, &region)).ok_or_else(invalid)?;
    let path = env.get("AWS_CA_BUNDLE")?;
    let certificate_authorities = path.map(|path| certificates::authorities("AWS_CA_BUNDLE", &path)).transpose()?;
    let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
    Ok(Service { name, region, endpoint, certificate_authorities, credentials })
}
