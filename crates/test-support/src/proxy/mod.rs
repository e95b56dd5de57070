//! A TCP proxy in front of a server. It can observe traffic, hold it back, and break connections in all the ways that a network
//! does.

mod forward;
mod mishap;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{net::TcpListener, sync::watch};

pub use self::{forward::is_set, mishap::Mishap};
use self::{
    forward::serve,
    mishap::{Next, NextMishap},
};

/// Called with each chunk from a client before the proxy forwards it.
type OnRequest = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// How the proxy treats bytes and connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All bytes are forwarded.
    Pass,
    /// Open connections are closed (FIN), new ones immediately.
    Closed,
    /// Open connections are reset (RST), new ones immediately.
    Refuse,
    /// Connections are accepted, but nothing is forwarded until the mode changes.
    Hold,
    /// All bytes are forwarded except `SET`s, which wait until the mode changes.
    HoldSets,
    /// Bytes from clients are dropped and never answered, on new connections too. A connection that lost bytes stays silent
    /// for ever, because TCP does not lose bytes in the middle of a stream.
    Blackhole,
    /// Each chunk is forwarded after this time, in both directions.
    Delay(Duration),
    /// A more distant server: requests are forwarded immediately, each chunk of an answer after this time. The delay is precise to a tenth
    /// of a millisecond; tokio's timer has a resolution of a millisecond.
    Distance(Duration),
    /// The first chunk of answers on each connection, which answers the client's greeting, is forwarded after this time.
    SlowGreeting(Duration),
    /// Each connection forwards this many bytes per second in each direction.
    Throttle(u32),
    /// Each connection is reset after this many bytes of answers, in the middle of an answer.
    CutAfter(usize),
}

/// A one-time fault of the open connections.
#[derive(Clone, Copy)]
enum Strike {
    Silence,
    Reset,
    Close,
}

pub struct Proxy {
    pub port: u16,
    target: Arc<Mutex<SocketAddr>>,
    mode: watch::Sender<Mode>,
    strikes: watch::Sender<Strike>,
    mishap: NextMishap,
    connections: Arc<Mutex<usize>>,
    /// Cloned by each connection that forwards bytes.
    passing: Arc<()>,
}

impl Proxy {
    pub async fn start(target: SocketAddr, on_request: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let mode = watch::Sender::new(Mode::Pass);
        let strikes = watch::Sender::new(Strike::Close);
        let connections = Arc::new(Mutex::new(0));
        let on_request: OnRequest = Arc::new(on_request);
        let target = Arc::new(Mutex::new(target));
        let proxy = Self {
            port,
            target: Arc::clone(&target),
            mode,
            strikes,
            mishap: NextMishap::default(),
            connections,
            passing: Arc::new(()),
        };
        let (count, modes, strikes) = (Arc::clone(&proxy.connections), proxy.mode.clone(), proxy.strikes.clone());
        let passing = Arc::clone(&proxy.passing);
        let mishap = Arc::clone(&proxy.mishap);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                *count.lock().expect("not poisoned") += 1;
                let (modes, strikes) = (modes.subscribe(), strikes.subscribe());
                let target = *target.lock().expect("not poisoned");
                let (on_request, mishap) = (Arc::clone(&on_request), Arc::clone(&mishap));
                tokio::spawn(serve(client, target, modes, strikes, on_request, mishap, Arc::clone(&passing)));
            }
        });
        proxy
    }

    pub async fn to_redis(redis: &crate::redis::Redis) -> Self {
        Self::start(([127, 0, 0, 1], redis.port).into(), |_| {}).await
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Forwards new connections to another server, like a name that moves. Open connections stay.
    pub fn lead_to(&self, target: SocketAddr) {
        *self.target.lock().expect("not poisoned") = target;
    }

    /// Silences the open connections for ever, like a firewall that has forgotten them. New connections work.
    pub fn silence_open_connections(&self) {
        self.strikes.send_replace(Strike::Silence);
    }

    /// Resets the open connections (RST), like a restarted peer. New connections work.
    pub fn reset_open_connections(&self) {
        self.strikes.send_replace(Strike::Reset);
    }

    /// Closes the open connections (FIN), like a server with an idle timeout. New connections work.
    pub fn close_open_connections(&self) {
        self.strikes.send_replace(Strike::Close);
    }

    /// Lets a mishap happen to the reply that follows `others` more, on whichever connection. Replies must be small, and none on its way.
    pub fn set_mishap(&self, others: usize, mishap: Mishap) {
        *self.mishap.lock().expect("not poisoned") = Some(Next { mishap, others, again: None });
    }

    /// Loses one reply after every `others`; `None` ends this.
    pub fn lose_replies(&self, others: Option<usize>) {
        let next = others.map(|others| Next { mishap: Mishap::Lost, others, again: Some(others) });
        *self.mishap.lock().expect("not poisoned") = next;
    }

    /// The number of connections that forward bytes.
    pub fn passing(&self) -> usize {
        // The proxy and its listener hold one clone each.
        Arc::strong_count(&self.passing) - 2
    }

    /// The number of connections accepted so far.
    pub fn connections(&self) -> usize {
        *self.connections.lock().expect("not poisoned")
    }
}
