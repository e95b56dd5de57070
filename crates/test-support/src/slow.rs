//! A client that never reads.

use std::{cell::Cell, net::SocketAddr};

use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{eventually, service::Http};

/// Requests more than the socket buffers hold and reads nothing, so that the server is in the middle of an answer.
pub async fn never_reading(http: &Http) -> TcpStream {
    let mut stream = TcpStream::connect(http.address).await.expect("the server listens");
    let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n".repeat(100);
    stream.write_all(request.as_bytes()).await.expect("sent");
    let client = stream.local_addr().expect("connected");
    let (last, repeated) = (Cell::new(0), Cell::new(0));
    eventually("the socket buffers are full", async || {
        let now = unacknowledged(http.address, client);
        repeated.set(if now == last.replace(now) { repeated.get() + 1 } else { 0 });
        now > 0 && repeated.get() == 25
    })
    .await;
    stream
}

/// The number of bytes that the server has sent and the client's kernel has not acknowledged, according to Linux.
fn unacknowledged(server: SocketAddr, client: SocketAddr) -> u64 {
    let connections = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let [server, client] = [server, client].map(|address| format!(":{:04X}", address.port()));
    // Other tests may have left thousands of closed connections here.
    let queues = connections.lines().filter(|line| line.contains(&client)).find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        (fields[1].ends_with(&server) && fields[2].ends_with(&client)).then(|| fields[4].to_owned())
    });
    let queues = queues.expect("they are connected");
    u64::from_str_radix(queues.split(':').next().expect("split yields"), 16).expect("a number")
}
