//! How soon `auto` follows when something changes.

use std::time::Duration;

use crate::{
    Cache,
    client::Client,
    models::TimedModel,
    support::{proxy::Mode, service::Service},
    traffic::Traffic,
};

/// It has followed when nearly all of so many requests in a row are served the other way.
const ROW: usize = 20;
const NEARLY_ALL: usize = 18;
/// After so many requests, nobody waits for it any more.
const LIMIT: usize = 10_000;

/// A change, and after how many requests `auto` had followed; `None` if it did not.
pub(crate) struct Change {
    pub(crate) what: &'static str,
    pub(crate) then: &'static str,
    pub(crate) requests: Option<usize>,
}

pub(crate) async fn measure(model: &TimedModel, cache: &Cache) -> Vec<Change> {
    const FAR: Mode = Mode::Distance(Duration::from_millis(10));
    const NEAR: Mode = Mode::Distance(Duration::from_millis(1));
    const SETTLED: &str = "Redis at +1 ms, 80 % hits: settled";
    let steps = [
        (SETTLED, NEAR, 0.8, true),
        ("Redis moves to +10 ms", FAR, 0.8, false),
        ("Redis is back at +1 ms", NEAR, 0.8, true),
        ("no request is a repetition any more", NEAR, 0.0, false),
        ("80 % of the requests are repetitions again", NEAR, 0.8, true),
    ];
    cache.redis.command::<()>(&["FLUSHALL"]).await;
    cache.proxy.set(NEAR);
    let (url, directory) = (cache.proxy.url(), model.directory.to_str().expect("a path in UTF-8"));
    let variables = [("REDIS_URL", &*url), ("MODEL_DIR", directory), ("CACHE_STRATEGY", "auto")];
    let (_service, http) = Service::local(&variables).await;
    let mut client = Client::new(http.address).expect("it listens");
    let mut traffic = Traffic::new(0.8);
    let mut changes = Vec::new();
    for (what, mode, hit_ratio, looks_up) in steps {
        cache.proxy.set(mode);
        traffic.becomes(hit_ratio);
        let follow = move || {
            let requests = follows(&mut client, &mut traffic, looks_up);
            (client, traffic, requests)
        };
        let requests;
        (client, traffic, requests) = tokio::task::spawn_blocking(follow).await.expect("it does not panic");
        if what == SETTLED {
            continue;
        }
        let then = if looks_up { "looks up" } else { "computes" };
        changes.push(Change { what, then, requests });
    }
    changes
}

/// After how many requests nearly all are served in this way.
fn follows(client: &mut Client, traffic: &mut Traffic, looks_up: bool) -> Option<usize> {
    let mut as_wanted = Vec::new();
    for number in traffic.take(LIMIT) {
        let answer = client.ask(number).expect("it is answered");
        as_wanted.push(answer.computed_by_choice != looks_up);
        let start = as_wanted.len().checked_sub(ROW);
        if let Some(start) = start
            && as_wanted[start..].iter().filter(|wanted| **wanted).count() >= NEARLY_ALL
        {
            return Some(start);
        }
    }
    None
}
