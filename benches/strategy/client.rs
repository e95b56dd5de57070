//! A client with minimal overhead: one blocking connection.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

pub(crate) struct Client {
    connection: TcpStream,
    received: Vec<u8>,
}

/// The measured parts of a response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// The client's waiting time.
    pub(crate) time: Duration,
    /// Whether `auto` chose not to look up.
    pub(crate) computed_by_choice: bool,
    /// The times of the cache and the model, reported by the service.
    pub(crate) cache: Option<Duration>,
    pub(crate) model: Option<Duration>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> io::Result<Self> {
        let connection = TcpStream::connect(address)?;
        connection.set_nodelay(true)?;
        Ok(Self { connection, received: Vec::new() })
    }

    /// Requests the value of a number.
    pub(crate) fn ask(&mut self, number: u64) -> io::Result<Answer> {
        let body = format!("{{\"number\":{number}}}");
        let length = body.len();
        let request = format!(
            "POST /values HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let sent = Instant::now();
        self.connection.write_all(request.as_bytes())?;
        self.received.clear();
        let head = loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break String::from_utf8_lossy(&self.received[..end]).into_owned();
            }
            self.receive()?;
        };
        let length: usize = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
        while self.received.len() < head.len() + 4 + length {
            self.receive()?;
        }
        let time = sent.elapsed();
        if !head.starts_with("HTTP/1.1 200") {
            return Err(io::Error::other(head));
        }
        let timing = header(&head, "server-timing").unwrap_or_default();
        Ok(Answer {
            time,
            computed_by_choice: header(&head, "cache-status").is_some_and(|status| status.ends_with("detail=cost")),
            cache: duration(timing, "cache"),
            model: duration(timing, "model"),
        })
    }

    fn receive(&mut self) -> io::Result<()> {
        let mut chunk = [0; 4096];
        match self.connection.read(&mut chunk)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                self.received.extend_from_slice(&chunk[..n]);
                Ok(())
            }
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().filter_map(|line| line.split_once(": ")).find_map(|(found, value)| (found == name).then_some(value))
}

/// Reads `cache;dur=0.1841, model;dur=0.0043`.
fn duration(timing: &str, name: &str) -> Option<Duration> {
    let mut entries = timing.split(", ").filter_map(|entry| entry.split_once(";dur="));
    let milliseconds: f64 = entries.find_map(|(found, value)| (found == name).then_some(value))?.parse().ok()?;
    Some(Duration::from_secs_f64(milliseconds * 1e-3))
}
