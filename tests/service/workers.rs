//! The local server's threads: their number, and how connections are distributed among the workers.

use std::{collections::BTreeMap, fs, path::PathBuf};

use test_support::{
    eventually,
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
