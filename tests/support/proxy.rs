//! A TCP proxy in front of a server, that can note what passes and hold it back.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Called with each chunk that a client sends, before it is passed on.
type OnRequest = Arc<dyn Fn(&[u8]) + Send + Sync>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Everything passes.
    Pass,
    /// Each connection is closed, and each new one at once.
    Closed,
    /// Connections are accepted, and nothing passes until the mode changes.
    Hold,
    /// Everything passes but `SET`s, which wait until the mode changes: a hand on the tap.
    HoldSets,
}

pub struct Proxy {
    pub port: u16,
    mode: watch::Sender<Mode>,
    silenced: watch::Sender<()>,
    connections: Arc<Mutex<usize>>,
}

impl Proxy {
    pub async fn start(target: SocketAddr, on_request: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let mode = watch::Sender::new(Mode::Pass);
        let silenced = watch::Sender::new(());
        let connections = Arc::new(Mutex::new(0));
        let on_request: OnRequest = Arc::new(on_request);
        let proxy = Self { port, mode, silenced, connections };
        let (count, modes, silenced) = (Arc::clone(&proxy.connections), proxy.mode.clone(), proxy.silenced.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                *count.lock().expect("not poisoned") += 1;
                let mut silence = silenced.subscribe();
                let passing = pass(client, target, modes.subscribe(), Arc::clone(&on_request));
                tokio::spawn(async move {
                    let mut passing = std::pin::pin!(passing);
                    tokio::select! {
                        () = &mut passing => {}
                        // The connection stays open, and nobody reads or writes it any more.
                        Ok(()) = silence.changed() => std::future::pending().await,
                    }
                });
            }
        });
        proxy
    }

    pub async fn to_redis(redis: &super::redis::Redis) -> Self {
        Self::start(([127, 0, 0, 1], redis.port).into(), |_| {}).await
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The connections that are open now fall silent for ever, as if a firewall had forgotten them. New ones pass.
    pub fn silence_open_connections(&self) {
        self.silenced.send_replace(());
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        *self.connections.lock().expect("not poisoned")
    }
}

async fn pass(mut client: TcpStream, target: SocketAddr, mut modes: watch::Receiver<Mode>, on_request: OnRequest) {
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let (mut from_client, mut from_server) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    loop {
        let Ok(mode) = modes.wait_for(|mode| *mode != Mode::Hold).await.map(|mode| *mode) else { return };
        if mode == Mode::Closed {
            return;
        }
        tokio::select! {
            changed = modes.changed() => if changed.is_err() { return },
            read = client.read(&mut from_client) => match read {
                Ok(n) if n > 0 => {
                    on_request(&from_client[..n]);
                    if is_set(&from_client[..n]) && modes.wait_for(|mode| *mode != Mode::HoldSets).await.is_err() { return }
                    if server.write_all(&from_client[..n]).await.is_err() { return }
                }
                _ => return,
            },
            read = server.read(&mut from_server) => match read {
                Ok(n) if n > 0 => if client.write_all(&from_server[..n]).await.is_err() { return },
                _ => return,
            },
        }
    }
}

/// Whether a client sends a `SET`.
pub fn is_set(chunk: &[u8]) -> bool {
    chunk.windows(9).any(|bytes| bytes == b"$3\r\nSET\r\n")
}
