//! Forwards the bytes of a connection, as the proxy's mode says.

use std::{borrow::Cow, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    time::sleep,
};

use super::{
    Mode, OnRequest, Strike,
    mishap::{NextMishap, with_mishap},
};

/// How forwarding on a connection ended.
enum End {
    Close,
    Reset,
    Silence,
}

pub(super) async fn serve(
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
    let (mut left_until_cut, mut is_first) = (None, true);
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
        slow_down(mode, chunk.len(), on_request.is_none(), std::mem::take(&mut is_first)).await;
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

async fn slow_down(mode: Mode, bytes: usize, is_answer: bool, is_first: bool) {
    match mode {
        Mode::SlowGreeting(time) if is_answer && is_first => sleep(time).await,
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
