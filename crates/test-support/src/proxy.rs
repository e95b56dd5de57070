//! A TCP proxy in front of a server. It can observe traffic, hold it back, and break connections in all the ways that a network
//! does.

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    time::sleep,
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
    /// Each connection forwards this many bytes per second in each direction.
    Throttle(u32),
    /// Each connection is reset after this many bytes of answers, in the middle of an answer.
    CutAfter(usize),
}

/// What happens to one reply of Redis. All later replies on its connection then reach other commands than their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    Lost,
    Repeated,
}

/// A mishap to come.
#[derive(Clone, Copy)]
struct Next {
    mishap: Mishap,
    /// The number of replies before it.
    others: usize,
    /// The number of replies before the one after it, if it comes again.
    again: Option<usize>,
}

type NextMishap = Arc<Mutex<Option<Next>>>;

/// A one-time fault of the open connections.
#[derive(Clone, Copy)]
enum Strike {
    Silence,
    Reset,
    Close,
}

pub struct Proxy {
    pub port: u16,
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
        let proxy = Self { port, mode, strikes, connections, mishap: NextMishap::default(), passing: Arc::new(()) };
        let (count, modes, strikes) = (Arc::clone(&proxy.connections), proxy.mode.clone(), proxy.strikes.clone());
        let passing = Arc::clone(&proxy.passing);
        let mishap = Arc::clone(&proxy.mishap);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                *count.lock().expect("not poisoned") += 1;
                let (modes, strikes) = (modes.subscribe(), strikes.subscribe());
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

/// How forwarding on a connection ended.
enum End {
    Close,
    Reset,
    Silence,
}

async fn serve(
    mut client: TcpStream,
    target: SocketAddr,
    modes: watch::Receiver<Mode>,
    mut strikes: watch::Receiver<Strike>,
    on_request: OnRequest,
    mishap: NextMishap,
    passing: Arc<()>,
) {
    let end = tokio::select! {
        end = pass(&mut client, target, modes, on_request, &mishap) => end,
        struck = strikes.changed() => match struck.map(|()| *strikes.borrow()) {
            Ok(Strike::Silence) => End::Silence,
            Ok(Strike::Reset) => End::Reset,
            Ok(Strike::Close) | Err(_) => End::Close,
        },
    };
    match end {
        End::Close => drop(client),
        // With zero linger time, closing sends RST. An error means that the client is already gone.
        End::Reset => {
            let _ = client.set_zero_linger();
            drop(client);
        }
        // Keep the connection until the client closes it, so that no descriptor leaks.
        End::Silence => {
            drop(passing);
            let mut swallowed = [0; 4096];
            while client.read(&mut swallowed).await.is_ok_and(|n| n > 0) {}
        }
    }
}

async fn pass(
    client: &mut TcpStream,
    target: SocketAddr,
    modes: watch::Receiver<Mode>,
    on_request: OnRequest,
    mishap: &NextMishap,
) -> End {
    let Ok(mut server) = TcpStream::connect(target).await else { return End::Close };
    // Client and server send without delay, so the proxy must not hold back a second chunk until the first is acknowledged.
    for stream in [&*client, &server] {
        let _ = stream.set_nodelay(true);
    }
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::select! {
        end = one_way(from_client, to_server, modes.clone(), Some(on_request), mishap) => end,
        end = one_way(from_server, to_client, modes, None, mishap) => end,
    }
}

/// Forwards one direction: requests if `on_request` is set, otherwise answers. The directions are independent, so that an answer does
/// not wait for a held request.
async fn one_way(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut modes: watch::Receiver<Mode>,
    on_request: Option<OnRequest>,
    mishap: &NextMishap,
) -> End {
    let mut buffer = vec![0; 16 * 1024];
    let mut left_until_cut = None;
    loop {
        let Ok(mode) = modes.wait_for(|mode| *mode != Mode::Hold).await.map(|mode| *mode) else { return End::Close };
        match mode {
            Mode::Closed => return End::Close,
            Mode::Refuse => return End::Reset,
            Mode::Blackhole => return End::Silence,
            Mode::CutAfter(bytes) if on_request.is_none() => drop(left_until_cut.get_or_insert(bytes)),
            _ => left_until_cut = None,
        }
        let chunk = tokio::select! {
            changed = modes.changed() => if changed.is_ok() { continue } else { return End::Close },
            read = from.read(&mut buffer) => match read {
                Ok(n) if n > 0 => &buffer[..n],
                _ => return End::Close,
            },
        };
        if let Some(on_request) = &on_request {
            on_request(chunk);
            if is_set(chunk) && modes.wait_for(|mode| *mode != Mode::HoldSets).await.is_err() {
                return End::Close;
            }
        }
        let chunk = if on_request.is_none() { with_mishap(chunk, mishap) } else { Cow::Borrowed(chunk) };
        slow_down(mode, chunk.len(), on_request.is_none()).await;
        let passing = left_until_cut.map_or(chunk.len(), |left| chunk.len().min(left));
        if to.write_all(&chunk[..passing]).await.is_err() {
            return End::Close;
        }
        if let Some(left) = &mut left_until_cut {
            *left -= passing;
            if *left == 0 {
                return End::Reset;
            }
        }
    }
}

/// The chunk, from which the reply to which the mishap happens is missing, or in which it is twice.
fn with_mishap<'a>(chunk: &'a [u8], next: &NextMishap) -> Cow<'a, [u8]> {
    let mut next = next.lock().expect("not poisoned");
    if next.is_none() {
        return chunk.into();
    }
    let (mut forwarded, mut start) = (Vec::new(), 0);
    while let Some(Next { mishap, others, again }) = *next
        && let Some(end) = reply_end(chunk, start)
    {
        let times = match (others, mishap) {
            (1.., _) => 1,
            (0, Mishap::Lost) => 0,
            (0, Mishap::Repeated) => 2,
        };
        forwarded.extend(chunk[start..end].repeat(times));
        start = end;
        *next = match others {
            0 => again.map(|others| Next { mishap, others, again }),
            _ => Some(Next { mishap, others: others - 1, again }),
        };
    }
    forwarded.extend(&chunk[start..]);
    forwarded.into()
}

/// The end of the reply that starts at `start`, if it is complete.
fn reply_end(replies: &[u8], start: usize) -> Option<usize> {
    let line = replies.get(start..)?.windows(2).position(|end| end == b"\r\n")?;
    let (kind, number) = replies[start..start + line].split_first()?;
    let after = start + line + 2;
    let number = || std::str::from_utf8(number).ok()?.parse::<i64>().ok();
    match kind {
        b'$' => {
            let bytes = usize::try_from(number()?).map_or(0, |bytes| bytes + 2);
            Some(after + bytes).filter(|end| *end <= replies.len())
        }
        b'*' => (0..number()?).try_fold(after, |at, _| reply_end(replies, at)),
        _ => Some(after),
    }
}

async fn slow_down(mode: Mode, bytes: usize, is_answer: bool) {
    match mode {
        Mode::Delay(time) => sleep(time).await,
        Mode::Distance(time) if is_answer => {
            tokio::task::spawn_blocking(move || std::thread::sleep(time)).await.expect("it sleeps");
        }
        Mode::Throttle(per_second) => sleep(Duration::from_secs_f64(bytes as f64 / f64::from(per_second))).await,
        _ => {}
    }
}

/// Whether a chunk contains a `SET` command.
pub fn is_set(chunk: &[u8]) -> bool {
    chunk.windows(9).any(|bytes| bytes == b"$3\r\nSET\r\n")
}
