//! How quickly `auto` adapts to a change.

use std::time::Duration;

use test_support::{proxy::Mode, service::Service};

use crate::{Cache, client::Client, models::TimedModel, plan::Plan, traffic::Traffic};

/// `auto` has adapted when nearly all of this many consecutive requests are served the other way.
const ROW: usize = 20;
const NEARLY_ALL: usize = 18;
/// More than a memory tier would keep; these services have none.
const POPULAR: u64 = 1_000;

/// A change, and the number of requests after which `auto` had adapted; `None` if it did not.
pub(crate) struct Change {
    pub(crate) what: &'static str,
    pub(crate) then: &'static str,
    pub(crate) requests: Option<usize>,
}

impl Change {
    /// The violated requirement, if any.
    pub(crate) fn violation(&self, plan: &Plan) -> Option<String> {
        let Self { what, then, requests } = self;
        (!plan.short && requests.is_none()).then(|| format!("{what}: it never {then}"))
    }
}

pub(crate) async fn measure(plan: &Plan, model: &TimedModel, cache: &Cache) -> Vec<Change> {
    const FAR: Mode = Mode::Distance(Duration::from_millis(10));
    const NEAR: Mode = Mode::Distance(Duration::from_micros(300));
    let steps = [
        ("Redis moves to +10 ms", FAR, 0.8, false),
        ("Redis is back at +0.3 ms", NEAR, 0.8, true),
        ("no request is a repetition any more", NEAR, 0.0, false),
        ("80 % of the requests are repetitions again", NEAR, 0.8, true),
    ];
    cache.redis.command::<()>(&["FLUSHALL"]).await;
    cache.proxy.set(NEAR);
    let (url, directory) = (cache.proxy.url(), model.directory.to_str().expect("a path in UTF-8"));
    let variables = [("REDIS_URL", &*url), ("MODEL_DIR", directory), ("CACHE_STRATEGY", "auto"), ("WORKERS", "1")];
    let (_service, http) = Service::local(&variables).await;
    let mut client = Client::new(http.address).expect("it listens");
    let mut traffic = Traffic::new(POPULAR, 0.8);
    let (mut changes, limit) = (Vec::new(), plan.patience());
    (client, traffic) = settled(client, traffic, plan.settled()).await;
    for (what, mode, hit_ratio, looks_up) in steps {
        cache.proxy.set(mode);
        traffic.becomes(hit_ratio);
        let follow = move || {
            let requests = follows(&mut client, &mut traffic, looks_up, limit);
            (client, traffic, requests)
        };
        let requests;
        (client, traffic, requests) = tokio::task::spawn_blocking(follow).await.expect("it does not panic");
        (client, traffic) = settled(client, traffic, plan.settled()).await;
        let then = if looks_up { "looks up" } else { "computes" };
        changes.push(Change { what, then, requests });
    }
    changes
}

/// Sends requests until the effects of the last change have worn off.
async fn settled(mut client: Client, mut traffic: Traffic, requests: usize) -> (Client, Traffic) {
    let go_on = move || {
        for number in traffic.by_ref().take(requests) {
            client.ask(number).expect("it is answered");
        }
        (client, traffic)
    };
    tokio::task::spawn_blocking(go_on).await.expect("it does not panic")
}

/// The number of requests after which nearly all are served this way.
fn follows(client: &mut Client, traffic: &mut Traffic, looks_up: bool, limit: usize) -> Option<usize> {
    let mut as_wanted = Vec::new();
    for number in traffic.take(limit) {
        let answer = client.ask(number).expect("it is answered");
        as_wanted.push(answer.computed_by_choice != looks_up);
        let start = as_wanted.len().checked_sub(ROW);
        if let Some(start) = start
            && as_wanted[start..].iter().filter(|wanted| **wanted).count() >= NEARLY_ALL
        {
            return Some(start + ROW - NEARLY_ALL);
        }
    }
    None
}
