//! One model and one Redis at one distance: three services get the same requests in turn.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use test_support::{proxy::Mode, random::Random, service::Service};

use crate::{
    Cache,
    client::{Answer, Client},
    models::TimedModel,
    plan::{Plan, WARM_UP},
    traffic::Traffic,
};

/// Few enough that all popular inputs are requested during the warm-up.
const POPULAR: u64 = 50;
/// The maximum ratio of `auto` to the better strategy.
const LIMIT: f64 = 1.1;

/// Waiting times of clients, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waited {
    pub(crate) mean: f64,
    pub(crate) p99: f64,
    /// The 95 % confidence interval of the 99th percentile: the order statistics two standard deviations below and above it.
    pub(crate) p99_between: [f64; 2],
}

pub(crate) struct Cell {
    pub(crate) distance: Duration,
    pub(crate) hit_ratio: f64,
    pub(crate) always: Waited,
    pub(crate) never: Waited,
    pub(crate) auto: Waited,
    /// The share of the requests that `auto` looked up.
    pub(crate) looked_up: f64,
    /// The lookups that `auto` made after responses per thousand requests, and their waiting time in milliseconds.
    pub(crate) probes: f64,
    pub(crate) probing: f64,
    /// Medians in milliseconds, measured by the service.
    pub(crate) lookup: f64,
    pub(crate) run: f64,
}

impl Cell {
    pub(crate) async fn measure(
        plan: &Plan,
        model: &TimedModel,
        distance: Duration,
        hit_ratio: f64,
        cache: &Cache,
        done: &Arc<AtomicU64>,
    ) -> Self {
        cache.redis.command::<()>(&["FLUSHALL"]).await;
        cache.proxy.set(if distance.is_zero() { Mode::Pass } else { Mode::Distance(distance) });
        let (url, directory) = (cache.proxy.url(), model.directory.to_str().expect("a path in UTF-8"));
        let common = [("MODEL_DIR", directory), ("MEMORY_CACHE_ENTRIES", "0"), ("WORKERS", "1")];
        let with = |more: &[(&'static str, &'static str)]| {
            let mut all = common.to_vec();
            all.push(("REDIS_URL", &url));
            all.extend_from_slice(more);
            all
        };
        let (_always, always) = Service::local(&with(&[("CACHE_NAMESPACE", "always")])).await;
        let (_never, never) = Service::local(&common).await;
        let (deciding, auto) = Service::local(&with(&[("CACHE_NAMESPACE", "auto"), ("CACHE_STRATEGY", "auto")])).await;

        let addresses = [always.address, never.address, auto.address];
        let requests = plan.requests(model.nominal);
        let count = Arc::clone(done);
        let asked = tokio::task::spawn_blocking(move || ask(addresses, requests, hit_ratio, &count));
        let answers = asked.await.expect("the client does not panic").expect("every request is answered");

        let probed = deciding.lines().iter().filter_map(|line| field(line, "probe_ms=")).collect::<Vec<_>>();
        let per_thousand = 1e3 / (requests + WARM_UP) as f64;
        let [always, never, auto] = answers;
        Self {
            distance,
            hit_ratio,
            looked_up: share(&auto, |answer| !answer.computed_by_choice),
            probes: probed.len() as f64 * per_thousand,
            probing: probed.iter().fold(0.0, |sum, time| sum + time) * per_thousand,
            lookup: median(always.iter().filter_map(|answer| answer.cache)),
            run: median(never.iter().filter_map(|answer| answer.model)),
            always: Waited::of(&always),
            never: Waited::of(&never),
            auto: Waited::of(&auto),
        }
    }

    /// Whether lookups are faster on average.
    pub(crate) fn pays(&self) -> bool {
        self.always.mean < self.never.mean
    }

    fn better(&self) -> Waited {
        if self.pays() { self.always } else { self.never }
    }

    /// Mean and 99th percentile under `auto` as multiples of the better strategy's.
    pub(crate) fn ratios(&self) -> [f64; 2] {
        let better = self.better();
        [self.auto.mean / better.mean, self.auto.p99 / better.p99]
    }

    /// The violated requirement, if any.
    pub(crate) fn violation(&self, plan: &Plan) -> Option<String> {
        let holds = if plan.short {
            (self.looked_up > 0.9) == self.pays() && !(0.1..=0.9).contains(&self.looked_up)
        } else {
            let better = self.better();
            self.auto.mean <= LIMIT * better.mean && self.auto.p99_between[0] <= LIMIT * better.p99_between[1]
        };
        (!holds).then(|| self.row())
    }

    /// A row of the report.
    pub(crate) fn row(&self) -> String {
        let [mean, p99] = self.ratios();
        let waited = |Waited { mean, p99, .. }: Waited| format!("{mean:.3} / {p99:.3}");
        format!(
            "| {} | {} | {} | {} | {} | {} | {} | **{mean:.2}** / **{p99:.2}** | {:.0} % | {:.0} / {:.1} |",
            milliseconds(self.run),
            distance(self.distance),
            milliseconds(self.lookup),
            waited(self.always),
            waited(self.never),
            waited(self.auto),
            if self.pays() { "always" } else { "never" },
            self.looked_up * 100.0,
            self.probes,
            self.probing,
        )
    }
}

impl Waited {
    fn of(answers: &[Answer]) -> Self {
        let mut times: Vec<_> = answers.iter().map(|answer| answer.time.as_secs_f64() * 1e3).collect();
        times.sort_unstable_by(f64::total_cmp);
        let above = times.len() as f64 / 100.0;
        // The number of times above the percentile has a binomial distribution.
        let with = |above: f64| times[times.len() - 1 - (above.max(0.0) as usize).min(times.len() - 1)];
        let deviation = 2.0 * (above * 0.99).sqrt();
        Self {
            mean: times.iter().sum::<f64>() / times.len() as f64,
            p99: with(above),
            p99_between: [with(above + deviation), with(above - deviation)],
        }
    }
}

/// Sends the same requests to each service and returns the answers after the warm-up.
fn ask(
    addresses: [SocketAddr; 3],
    requests: usize,
    hit_ratio: f64,
    done: &AtomicU64,
) -> std::io::Result<[Vec<Answer>; 3]> {
    let [always, never, auto] = addresses.map(Client::new);
    let mut clients = [always?, never?, auto?];
    let mut answers = [const { Vec::new() }; 3];
    let (mut order, mut random) = ([0, 1, 2], Random::new(11));
    for (n, number) in Traffic::new(POPULAR, hit_ratio).take(WARM_UP + requests).enumerate() {
        // Each service follows each other service equally often, because work after a response delays the next service.
        order.swap(1, 1 + random.below(2) as usize);
        order.swap(0, random.below(3) as usize);
        for service in order {
            let answer = clients[service].ask(number)?;
            if n >= WARM_UP {
                answers[service].push(answer);
            }
        }
        if n >= WARM_UP {
            done.fetch_add(1, Relaxed);
        }
    }
    Ok(answers)
}

fn share(answers: &[Answer], of: impl Fn(&Answer) -> bool) -> f64 {
    answers.iter().filter(|answer| of(answer)).count() as f64 / answers.len() as f64
}

fn median(times: impl Iterator<Item = Duration>) -> f64 {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times.get(times.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

/// The number after `name` in a line of the log.
fn field(line: &str, name: &str) -> Option<f64> {
    line.split_once(name)?.1.split_whitespace().next()?.parse().ok()
}

/// A time with three digits.
pub(crate) fn milliseconds(time: f64) -> String {
    match time {
        _ if time < 0.0995 => format!("{time:.4}"),
        _ if time < 0.995 => format!("{time:.3}"),
        _ if time < 9.95 => format!("{time:.2}"),
        _ => format!("{time:.1}"),
    }
}

pub(crate) fn distance(distance: Duration) -> String {
    if distance.is_zero() { "loopback".to_owned() } else { format!("+{} ms", distance.as_secs_f64() * 1e3) }
}
