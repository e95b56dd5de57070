//! Full load, random faults and hostile clients for ten minutes, under a memory limit of 256 MiB: `make soak` (`SOAK_SECONDS` sets
//! another duration, `SOAK_HOSTILE=0` leaves out the hostile clients). Fails if an honest client's answer was wrong or was not 200, if the
//! memory exceeds the limit at any time or grows by more than a tenth after the first minute, or if a descriptor leaks.

use std::{
    future::pending,
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use futures_util::future::join_all;
use test_support::{
    applications::aged,
    chaos::{
        fault::Fault,
        load::{self, Outcome},
        population::Population,
        world::World,
    },
    hostile,
    random::Random,
    service::{Http, Service},
};
use tokio::time::{Instant, sleep};

const CONNECTIONS: usize = 8;
const SEED: u64 = 7;
/// The memory of a pod of `container/kubernetes.yaml`. The kernel refuses more to the process, which then ends.
const MEMORY_MIB: u64 = 256;
/// What the service derives from a control group's limit, and fewer connections than all clients together open.
const VARIABLES: [(&str, &str); 2] = [("MAX_CONCURRENT_BODY_BYTES", "8388608"), ("MAX_CONNECTIONS", "256")];
/// Bounds of the length of faults and of the pauses between them, in milliseconds, on both sides of the circuit breaker's pause.
const SHORTEST: u64 = 100;
const LONGEST: u64 = 3000;

#[derive(Default)]
struct Counts {
    requests: AtomicUsize,
    wrong: AtomicUsize,
    not_ok: AtomicUsize,
    hits: AtomicUsize,
    unavailable: AtomicUsize,
    faults: AtomicUsize,
}

/// The resources of the idle process.
#[derive(Debug)]
struct Holding {
    rss_kib: u64,
    /// The most that it ever had.
    peak_kib: u64,
    descriptors: usize,
}

/// Full load until `until`, with random faults one after the other, and hostile clients if there shall be any.
async fn trouble(
    http: &Http,
    hostile: Option<&hostile::Requests>,
    population: &Population,
    until: Instant,
    counts: &Counts,
    random: &mut Random,
    world: &mut World,
) {
    // New ones: a connection that was idle for a second may be closed for another.
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| load::client_of(http)).collect();
    let worker = async |http: &Http| {
        while Instant::now() < until {
            let n = counts.requests.fetch_add(1, Relaxed);
            let sample = load::ask(http, n, &population.request(SEED, n)).await;
            counts.wrong.fetch_add(usize::from(!sample.right), Relaxed);
            counts.not_ok.fetch_add(usize::from(!sample.ok), Relaxed);
            counts.hits.fetch_add(usize::from(sample.outcome == Outcome::Hit), Relaxed);
            counts.unavailable.fetch_add(usize::from(sample.outcome == Outcome::Unavailable), Relaxed);
        }
    };
    let faults = async {
        loop {
            let [healthy, sick] =
                [random.number(), random.number()].map(|n| Duration::from_millis(SHORTEST + n % (LONGEST - SHORTEST)));
            if Instant::now() + healthy + sick > until {
                return;
            }
            sleep(healthy).await;
            let fault = Fault::ALL[random.below(Fault::ALL.len() as u64) as usize];
            counts.faults.fetch_add(1, Relaxed);
            fault.strike(world).await;
            sleep(sick).await;
            fault.heal(world).await;
        }
    };
    let hostile = async {
        let Some(requests) = hostile else { return pending().await };
        // The honest clients have sent their first requests: a connection that has sent none is the first to be closed for another.
        sleep(Duration::from_secs(1)).await;
        hostile::torment(http.address, requests).await;
    };
    tokio::select! {
        _ = async { tokio::join!(join_all(clients.iter().map(worker)), faults) } => {}
        () = hostile => {}
    }
}

/// Waits until the service is healthy and idle, and reads its resources.
async fn holding(service: &Service, http: &Http, population: &Population, world: &mut World) -> Holding {
    load::redis_answers(http, population, SEED).await;
    // Wait until a write succeeds, so that the connection for writes is open at every reading.
    world.admin::<()>(&["FLUSHALL"]).await;
    while world.admin::<usize>(&["DBSIZE"]).await == 0 {
        http.post_with("/probabilities", &aged(30), "no-cache").await;
        sleep(Duration::from_millis(10)).await;
    }
    // Nothing shows that the last write has ended, but all deadlines together are shorter than this.
    sleep(Duration::from_secs(2)).await;
    let process = format!("/proc/{}", service.pid());
    let status = std::fs::read_to_string(format!("{process}/status")).expect("it runs, on Linux");
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells");
        line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number")
    };
    Holding {
        rss_kib: kib("VmRSS:"),
        peak_kib: kib("VmHWM:"),
        descriptors: std::fs::read_dir(format!("{process}/fd")).expect("it runs").count(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let seconds = std::env::var("SOAK_SECONDS").map_or(600, |text| text.parse().expect("SOAK_SECONDS is a number"));
    let (all, first) = (Duration::from_secs(seconds), Duration::from_secs(seconds.min(120) / 2));
    let is_hostile = std::env::var("SOAK_HOSTILE").map_or(true, |text| text != "0");
    println!("{seconds} s, seed {SEED}, {MEMORY_MIB} MiB, {CONNECTIONS} honest clients");
    let hostile = is_hostile.then(hostile::Requests::default);
    if is_hostile {
        println!("hostile clients: {:?}", hostile::CLIENTS);
    }
    let population = Population::new(SEED);
    let mut world = World::new().await;
    let (service, http) = world.quiet_service(&format!("-d {}", MEMORY_MIB * 1024), &VARIABLES).await;
    let (counts, mut random, start) = (Counts::default(), Random::new(SEED), Instant::now());

    trouble(&http, hostile.as_ref(), &population, start + first, &counts, &mut random, &mut world).await;
    let before = holding(&service, &http, &population, &mut world).await;
    println!("after {:.0} s: {before:?}", start.elapsed().as_secs_f64());
    trouble(&http, hostile.as_ref(), &population, start + all, &counts, &mut random, &mut world).await;
    let after = holding(&service, &http, &population, &mut world).await;
    println!("after {:.0} s: {after:?}", start.elapsed().as_secs_f64());

    let Counts { requests, wrong, not_ok, hits, unavailable, faults } = counts;
    let [requests, wrong, not_ok, hits, unavailable, faults] =
        [requests, wrong, not_ok, hits, unavailable, faults].map(AtomicUsize::into_inner);
    println!(
        "{requests} requests, {faults} faults, {hits} hits, {unavailable} unavailable, {wrong} wrong, {not_ok} not 200"
    );
    let growth = after.rss_kib as f64 / before.rss_kib as f64 - 1.0;
    println!("resident memory {:+.1} %, descriptors {} → {}", growth * 100.0, before.descriptors, after.descriptors);
    let fits = after.peak_kib <= MEMORY_MIB * 1024;
    let holds = wrong == 0 && not_ok == 0 && growth <= 0.1 && fits && after.descriptors <= before.descriptors;
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
