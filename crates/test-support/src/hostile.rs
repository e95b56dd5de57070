//! Clients that take what they can get of a local server: its connections, its memory and its time.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use futures_util::future::{BoxFuture, FutureExt, join_all};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::applications::aged;

/// How long a client keeps a connection on which it does nothing more. The server's own limits are shorter where it waits for a client.
const HOLD: Duration = Duration::from_secs(20);

/// The number of clients of each kind.
pub const CLIENTS: [(&str, usize); 5] =
    [("idle", 200), ("half a body", 40), ("unread documentation", 40), ("unread predictions", 40), ("1 MiB arrays", 4)];

/// What they send.
pub struct Requests {
    docs: String,
    array: String,
    hostile: String,
    half: String,
}

impl Default for Requests {
    fn default() -> Self {
        let docs = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n".repeat(50);
        let array =
            posted(&vec![aged(30); 500].iter().map(ToString::to_string).collect::<Vec<_>>().join(","), None).repeat(10);
        let items = (1 << 20) / 3 - 1;
        let hostile = posted(&format!("{}{{}}", "{},".repeat(items - 1)), None);
        let half = posted(&" ".repeat(100_000), Some(1 << 20));
        Self { docs, array, hostile, half }
    }
}

/// Torments the server at this address until dropped.
pub async fn torment(address: SocketAddr, requests: &Requests) {
    let [idle, half_bodies, documentation, predictions, arrays] = CLIENTS.map(|(_, number)| number);
    let Requests { docs, array, hostile, half } = requests;
    let clients = (0..idle)
        .map(|_| again(address, "", HOLD / 10))
        .chain((0..half_bodies).map(|_| again(address, half, HOLD)))
        .chain((0..documentation).map(|_| again(address, docs, HOLD)))
        .chain((0..predictions).map(|_| again(address, array, HOLD)))
        .chain((0..arrays).map(|_| ask_again(address, hostile).boxed()));
    join_all(clients).await;
}

/// A request with an array of these items, which declares a body of `length`, or of its own.
fn posted(items: &str, length: Option<usize>) -> String {
    let body = format!("[{items}]");
    let length = length.unwrap_or(body.len());
    format!(
        "POST /probabilities HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// Connects, sends this, reads nothing for a while, and begins again.
fn again(address: SocketAddr, request: &str, hold: Duration) -> BoxFuture<'_, Infallible> {
    async move {
        loop {
            let Ok(mut stream) = TcpStream::connect(address).await else { continue };
            // The server may not take all of it.
            let _ = timeout(hold, stream.write_all(request.as_bytes())).await;
            tokio::time::sleep(hold).await;
        }
    }
    .boxed()
}

/// Connects, sends this, reads the answer, and begins again.
async fn ask_again(address: SocketAddr, request: &str) -> Infallible {
    loop {
        let Ok(mut stream) = TcpStream::connect(address).await else { continue };
        let mut answer = [0; 1024];
        if stream.write_all(request.as_bytes()).await.is_ok() {
            let _ = timeout(HOLD, stream.read(&mut answer)).await;
        }
    }
}
