//! The local server's threads: their number, how connections are distributed among the workers, and that the thread in front of them is
//! never busy.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::json;
use test_support::{
    eventually, packages,
    service::{Http, Service},
    soon,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn of_process(service: &Service, what: &str) -> PathBuf {
    format!("/proc/{}/{what}", service.pid()).into()
}

/// The names of a process's threads, according to Linux.
fn threads(service: &Service) -> Vec<String> {
    let threads = fs::read_dir(of_process(service, "task")).expect("it runs");
    let name = |thread: &fs::DirEntry| fs::read_to_string(thread.path().join("comm")).expect("it runs");
    let mut names: Vec<_> = threads.map(|thread| name(&thread.expect("it runs")).trim().to_owned()).collect();
    names.sort();
    names
}

/// The number of descriptors that each runtime of a process waits on, by the descriptor of its epoll instance.
fn waits(service: &Service) -> BTreeMap<String, usize> {
    let descriptors = fs::read_dir(of_process(service, "fd")).expect("it runs");
    let mut waits = BTreeMap::new();
    for descriptor in descriptors.map(|descriptor| descriptor.expect("it runs")) {
        let is_epoll = fs::read_link(descriptor.path()).is_ok_and(|target| target.ends_with("anon_inode:[eventpoll]"));
        if is_epoll {
            let name = descriptor.file_name().into_string().expect("a number");
            let about = fs::read_to_string(of_process(service, "fdinfo").join(&name)).expect("it is open");
            waits.insert(name, about.lines().filter(|line| line.starts_with("tfd:")).count());
        }
    }
    waits
}

/// The number of connections of each of two workers, in ascending order, once they have `connections` together.
async fn shares(service: &Service, before: &BTreeMap<String, usize>, connections: usize) -> Vec<usize> {
    let shares = || {
        // A runtime has several descriptors for its epoll instance. The thread in front of the workers has passed all connections on.
        let mut shares: Vec<_> = waits(service).into_iter().map(|(name, now)| now - before[&name]).collect();
        shares.sort_unstable();
        let of_each = shares.len() / 3;
        shares.into_iter().step_by(of_each).collect::<Vec<_>>()
    };
    eventually("all connections are waited for", || async { shares().iter().sum::<usize>() == connections }).await;
    let [0, one, other] = shares()[..] else { panic!("the front keeps connections: {:?}", shares()) };
    vec![one, other]
}

/// A connection on which a request has been answered.
async fn used(http: &Http) -> TcpStream {
    let mut stream = TcpStream::connect(http.address).await.expect("it listens");
    stream.write_all(b"GET /docs/icon.svg HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let mut answer = [0; 12];
    soon("an answer", stream.read_exact(&mut answer)).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200");
    stream
}

#[tokio::test]
async fn there_is_a_thread_for_each_worker_beside_the_process_itself_and_its_log() {
    for (workers, names) in [
        ("1", &["log", "predict-once", "worker-1"][..]),
        ("3", &["log", "predict-once", "worker-1", "worker-2", "worker-3"]),
    ] {
        let (service, http) = Service::local(&[("WORKERS", workers)]).await;
        assert_eq!(http.get("/health").await.status, 200);
        // A thread sets its own name, so it can appear late.
        eventually(&format!("{names:?}"), || async { threads(&service) == names }).await;
    }
}

#[tokio::test]
async fn each_connection_goes_to_the_worker_with_the_fewest() {
    let (service, http) = Service::local(&[("WORKERS", "2")]).await;
    let before = waits(&service);
    let mut connections = Vec::new();
    for opened in 1..=16 {
        connections.push(used(&http).await);
        shares(&service, &before, opened).await;
    }
    assert_eq!(shares(&service, &before, 16).await, [8, 8]);
    // Close the connections of one worker.
    let mut position = 0;
    connections.retain(|_| {
        position += 1;
        position % 2 == 0
    });
    assert_eq!(shares(&service, &before, 8).await, [0, 8]);
    for _ in 0..8 {
        connections.push(used(&http).await);
    }
    assert_eq!(shares(&service, &before, 16).await, [8, 8]);
}

/// The processor time that a thread of this name has used.
fn processor_time(service: &Service, name: &str) -> Duration {
    let threads = fs::read_dir(of_process(service, "task")).expect("it runs");
    let mut stats =
        threads.map(|thread| fs::read_to_string(thread.expect("it runs").path().join("stat")).expect("it runs"));
    let stat = stats.find(|stat| stat.contains(&format!("({name})"))).expect("a thread of this name");
    let fields: Vec<_> = stat.rsplit(')').next().expect("split yields").split_whitespace().collect();
    // utime and stime, in hundredths of a second.
    Duration::from_millis(
        [fields[11], fields[12]].map(|ticks| ticks.parse::<u64>().expect("a number") * 10).iter().sum(),
    )
}

#[tokio::test]
async fn health_readiness_metrics_and_the_stop_signal_are_answered_while_every_worker_runs_the_model() {
    let directory = packages::write(&packages::long_run(), "long-run");
    let variables = [
        ("WORKERS", "1"),
        ("METRICS", "true"),
        ("MODEL_DIR", directory.to_str().expect("UTF-8")),
        ("SHUTDOWN_DELAY_SECONDS", "300"),
    ];
    let (service, http) = Service::local(&variables).await;
    // Long runs follow each other, so that the test does not depend on how fast the machine is.
    let inputs: Vec<_> = (0..1_000).map(|number| json!({"number": number})).collect();
    let asking = tokio::spawn({
        let http = Http::new(http.address);
        async move { http.post("/values", &inputs.into()).await }
    });
    let idle = processor_time(&service, "worker-1");
    eventually("the worker is busy", async || processor_time(&service, "worker-1") > idle + Duration::from_millis(50))
        .await;
    let start = Instant::now();
    for _ in 0..10 {
        for path in ["/health", "/ready", "/metrics"] {
            // Each on a connection of its own, as probes do.
            let answer = Http::new(http.address).get(path).await;
            assert_eq!((answer.status, answer.header("connection")), (200, "close"), "{path}");
        }
    }
    service.signal(rustix::process::Signal::TERM);
    eventually("it is not ready", async || Http::new(http.address).get("/ready").await.status == 503).await;
    // With a run of the model before each, these would take far longer.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(!asking.is_finished(), "the worker was busy throughout");
    asking.abort();
}
