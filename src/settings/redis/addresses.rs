//! `REDIS_URL`, and the credentials that override it.

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, io::tcp::TcpSettings};

use crate::settings::{Environment, SettingsError, error};

/// The addresses in `REDIS_URL`, with the credentials of the first: one, or several nodes of a cluster. Messages never repeat the value: it may
/// contain a password.
pub(super) fn read<L>(
    env: &Environment<L>,
    urls: &str,
    cluster: bool,
) -> Result<(ConnectionInfo, Vec<ConnectionInfo>), SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    let invalid = |problem: &str| error("REDIS_URL", problem);
    let mut nodes = Vec::new();
    for url in split(urls) {
        if url.split_once("://").is_some_and(|(scheme, _)| scheme.contains("sentinel")) {
            return Err(invalid(
                "must not be the address of a Sentinel; use one that follows a failover to the new primary, such as \
                 that of a Kubernetes Service or of a proxy",
            ));
        }
        if !url.starts_with("redis://") && !url.starts_with("rediss://") {
            return Err(invalid("must start with redis:// or rediss://"));
        }
        // The client would ignore a query without a word, `?db=2` included.
        if url.contains('?') {
            return Err(invalid("must not have a query; the database is the path: redis://host/2"));
        }
        let node = url.into_connection_info().ok().filter(|node| !node.addr().to_string().contains(','));
        nodes.push(node.ok_or_else(|| {
            invalid("must be redis://[user[:password]@]host[:port][/database], or rediss:// for TLS")
        })?);
    }
    let others = nodes.split_off(1);
    let first = nodes.remove(0);
    if !others.is_empty() && !cluster {
        return Err(invalid("may have several addresses only with REDIS_CLUSTER=true"));
    }
    if others.iter().any(|node| is_tls(node) != is_tls(&first)) {
        return Err(invalid("must not mix redis:// and rediss://"));
    }
    let login = |node: &ConnectionInfo| {
        let redis = node.redis_settings();
        (redis.username().map(str::to_owned), redis.password().map(str::to_owned), redis.db())
    };
    if others.iter().any(|node| login(node) != (None, None, 0) && login(node) != login(&first)) {
        return Err(invalid("must have the same user, password and database in every address, or only in the first"));
    }
    let first = with_credentials(env, first)?;
    let others = others.into_iter().map(|node| first.clone().set_addr(node.addr().clone())).collect();
    Ok((first, others))
}

/// Splits addresses at the commas before a scheme; a password may contain others.
fn split(urls: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(urls);
    std::iter::from_fn(move || {
        let urls = rest?;
        let next = [",redis://", ",rediss://"].iter().filter_map(|separator| urls.find(separator)).min();
        rest = next.map(|comma| &urls[comma + 1..]);
        Some(&urls[..next.unwrap_or(urls.len())])
    })
}

pub(super) fn is_tls(node: &ConnectionInfo) -> bool {
    matches!(node.addr(), ConnectionAddr::TcpTls { .. })
}

fn with_credentials<L>(env: &Environment<L>, connection: ConnectionInfo) -> Result<ConnectionInfo, SettingsError>
where
    L: Fn(&'static str) -> Result<Option<String>, SettingsError>,
{
    let mut redis = connection.redis_settings().clone().set_lib_name(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    if let Some(username) = env.get("REDIS_USERNAME")? {
        redis = redis.set_username(username.trim_end_matches(['\r', '\n']));
    }
    if let Some(password) = env.get("REDIS_PASSWORD")? {
        // Secrets that come from files end with a line break.
        redis = redis.set_password(password.trim_end_matches(['\r', '\n']));
    }
    // Requests share the connection, so Nagle's algorithm would delay one until another is acknowledged.
    let tcp = TcpSettings::default().set_nodelay(true);
    Ok(connection.set_redis_settings(redis).set_tcp_settings(tcp))
}

#[cfg(test)]
mod tests {
    use crate::settings::{redis::tests::redis, tests::settings};

    #[test]
    fn a_query_that_the_client_would_ignore_is_refused() {
        let refused = settings(&[("REDIS_URL", "redis://127.0.0.1/?db=2")]).expect_err("a query");
        assert_eq!((refused.variable, refused.problem.contains("redis://host/2")), ("REDIS_URL", true));
    }

    #[test]
    fn several_nodes_of_a_cluster_share_the_credentials_of_the_first() {
        let url = "redis://user:pass,word@a:7000,redis://b,redis://user:pass,word@c:7002";
        let redis = redis(&[("REDIS_URL", url), ("REDIS_CLUSTER", "true")]);
        let nodes: Vec<_> = std::iter::once(&redis.connection).chain(&redis.other_nodes).collect();
        let addresses: Vec<_> = nodes.iter().map(|node| node.addr().to_string()).collect();
        assert_eq!(addresses, ["a:7000", "b:6379", "c:7002"]);
        for node in nodes {
            let settings = node.redis_settings();
            assert_eq!((settings.username(), settings.password()), (Some("user"), Some("pass,word")));
        }
    }

    #[test]
    fn nodes_with_different_schemes_or_credentials_are_refused() {
        for (url, problem) in [
            ("redis://a,rediss://b", "must not mix redis:// and rediss://"),
            ("redis://u:p@a,redis://u:q@b", "must have the same user, password and database in every address"),
            ("redis://a,redis://u:p@b", "must have the same user, password and database in every address"),
            ("redis://a/1,redis://b/2", "must have the same user, password and database in every address"),
        ] {
            let refused = settings(&[("REDIS_URL", url), ("REDIS_CLUSTER", "true")]).expect_err(url);
            assert!(refused.variable == "REDIS_URL" && refused.problem.starts_with(problem), "{url}: {refused}");
        }
    }

    #[test]
    fn the_address_of_a_sentinel_is_refused_by_name() {
        for url in ["redis+sentinel://a:26379,b:26379/mymaster", "rediss+sentinel://a", "redis-sentinel://a/mymaster"] {
            let refused = settings(&[("REDIS_URL", url)]).expect_err(url);
            assert!(refused.to_string().starts_with("REDIS_URL must not be the address of a Sentinel"), "{refused}");
        }
    }
}
