//! Rotel, an independent OpenTelemetry collector, which prints the spans that it receives.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
};

use redis_test::utils::get_random_available_port;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use crate::{eventually, service::read_lines};

/// A running Rotel, killed on drop.
pub struct Rotel {
    _process: Child,
    port: u16,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Rotel {
    /// Starts the program that the variable `ROTEL_AGENT` names; `make test` sets it. `None` if it is not set.
    pub async fn start() -> Option<Self> {
        let Some(program) = std::env::var_os("ROTEL_AGENT") else {
            eprintln!("not sent to Rotel: ROTEL_AGENT is not set");
            return None;
        };
        let port = get_random_available_port();
        let mut process = Command::new(program)
            .args([
                "start",
                "--otlp-grpc-endpoint",
                "127.0.0.1:0",
                "--otlp-http-endpoint",
                &format!("127.0.0.1:{port}"),
            ])
            .args(["--exporter", "blackhole", "--debug-log", "traces", "--debug-log-verbosity", "detailed"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Rotel starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(read_lines(process.stdout.take().expect("piped"), Arc::clone(&lines)));
        let listens = || async { TcpStream::connect(("127.0.0.1", port)).await.is_ok() };
        eventually("Rotel listens", listens).await;
        Some(Self { _process: process, port, lines })
    }

    /// The value of `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The printed values with this name, such as `Trace ID`, in order. Each span has one value per name.
    pub fn printed(&self, name: &str) -> Vec<String> {
        let lines = self.lines.lock().expect("not poisoned");
        let values = lines.iter().filter_map(|line| line.split_once(':').filter(|(found, _)| found.trim() == name));
        values.map(|(_, value)| value.trim().to_owned()).collect()
    }
}
