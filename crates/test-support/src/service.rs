//! The real binary, as a Lambda function or as a local server.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
};

use crate::{eventually, runtime_api::RuntimeApi, soon};

/// The binary to test or measure: the build that `PREDICT_ONCE_BIN` names, by default the one that cargo built with the test or bench.
///
/// # Panics
///
/// If the variable is not set and cargo did not start this process. Cargo sets the path at run time since 1.94.
pub fn binary() -> PathBuf {
    let path = std::env::var_os("PREDICT_ONCE_BIN").or_else(|| std::env::var_os("CARGO_BIN_EXE_predict-once"));
    path.map(PathBuf::from).expect("run this with cargo test or cargo bench, or set PREDICT_ONCE_BIN")
}

/// A running process of the service, killed on drop.
pub struct Service {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    is_read: watch::Sender<bool>,
}

impl Service {
    /// Starts the binary with these variables over defaults for tests: deadlines of the cache that hold on a busy machine, no memory tier
    /// in front of a store, and two workers for a local server on any machine.
    pub fn start(variables: &[(&str, &str)]) -> Self {
        Self::spawn(Command::new(binary()), variables)
    }

    /// Starts the binary with a limit in the syntax of `ulimit`: `-Sn 100`.
    pub fn start_with_limit(limit: &str, variables: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("ulimit {limit}; exec \"$0\"")]).arg(binary());
        Self::spawn(shell, variables)
    }

    fn spawn(mut command: Command, variables: &[(&str, &str)]) -> Self {
        let is_of_a_store = |name: &str| matches!(name, "REDIS_URL" | "CACHE_STORE");
        let in_front_of_a_store = variables.iter().any(|(name, _)| is_of_a_store(name)).then_some("0");
        let mut child = command
            .env_clear()
            .env("WORKERS", "2")
            .env("MEMORY_CACHE_ENTRIES", in_front_of_a_store.unwrap_or_default())
            .env("CACHE_READ_TIMEOUT_MS", "10000")
            .env("CACHE_WRITE_TIMEOUT_MS", "10000")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let is_read = watch::Sender::new(true);
        for stream in [
            Box::new(child.stdout.take().expect("piped")) as Box<dyn AsyncRead + Send + Unpin>,
            Box::new(child.stderr.take().expect("piped")),
        ] {
            tokio::spawn(read_lines_while(stream, Arc::clone(&lines), is_read.subscribe()));
        }
        Self { child, lines, is_read }
    }

    /// Starts the binary as the function of this Runtime API.
    pub fn lambda(api: &RuntimeApi, variables: &[(&str, &str)]) -> Self {
        Self::start(&lambda_environment(&api.address.to_string(), variables))
    }

    /// Starts the binary as a local server on a free port.
    pub async fn local(variables: &[(&str, &str)]) -> (Self, Http) {
        let mut all = vec![("PORT", "0")];
        all.extend_from_slice(variables);
        let service = Self::start(&all);
        let http = service.http().await;
        (service, http)
    }

    /// Waits until the server listens and returns a client.
    pub async fn http(&self) -> Http {
        let line = self.line_with("listening on http://").await;
        // In a JSON line, a quote follows the address.
        let address = line.rsplit("http://").next().and_then(|url| url.split('"').next()).expect("split yields").trim();
        Http::new(address.parse().unwrap_or_else(|error| panic!("{line}: {error}")))
    }

    /// The lines printed so far to stdout and stderr.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("not poisoned").clone()
    }

    /// Stops reading what the process prints: once the pipes are full, its writes block.
    pub fn stop_reading(&self) {
        self.is_read.send_replace(false);
    }

    pub fn read_again(&self) {
        self.is_read.send_replace(true);
    }

    /// Waits for a line that contains `text`.
    pub async fn line_with(&self, text: &str) -> String {
        let find = || self.lines().into_iter().find(|line| line.contains(text));
        eventually(&format!("a line with {text:?}"), || async { find().is_some() }).await;
        find().expect("just seen")
    }

    /// The printed lines that are JSON.
    pub fn json_lines(&self) -> Vec<Value> {
        self.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub fn pid(&self) -> Pid {
        pid(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the process is ours");
    }

    /// Waits for the process to end and returns whether it succeeded.
    pub async fn ended(&mut self) -> bool {
        self.exit_code().await == Some(0)
    }

    /// Waits for the process to end and returns its exit code; `None` if a signal ended it.
    pub async fn exit_code(&mut self) -> Option<i32> {
        soon("the process ends", self.child.wait()).await.expect("it was started").code()
    }

    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it was started").is_none()
    }
}

/// The id of a process that this one started and has not waited for.
pub fn pid(child: &Child) -> Pid {
    let id = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    id.expect("it runs")
}

/// The variables that Lambda sets for a function, and `variables`.
pub fn lambda_environment<'a>(runtime_api: &'a str, variables: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("AWS_LAMBDA_RUNTIME_API", runtime_api),
        ("AWS_LAMBDA_FUNCTION_NAME", "predict-once"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ];
    all.extend_from_slice(variables);
    all
}

pub async fn read_lines(stream: impl AsyncRead + Unpin, lines: Arc<Mutex<Vec<String>>>) {
    let (_always, is_read) = watch::channel(true);
    read_lines_while(stream, lines, is_read).await;
}

async fn read_lines_while(
    stream: impl AsyncRead + Unpin,
    lines: Arc<Mutex<Vec<String>>>,
    mut is_read: watch::Receiver<bool>,
) {
    let mut stream = BufReader::new(stream).lines();
    while is_read.wait_for(|is_read| *is_read).await.is_ok() {
        let Ok(Some(line)) = stream.next_line().await else { return };
        lines.lock().expect("not poisoned").push(line);
    }
}

/// A client of the local server.
pub struct Http {
    pub address: SocketAddr,
    pub client: reqwest::Client,
}

/// A complete response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers));
        value.to_str().expect("text")
    }

    pub fn cache_status(&self) -> &str {
        self.header("cache-status")
    }
}

impl Http {
    /// A client with its own connections.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, client: reqwest::Client::new() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = soon("the service answers", request.send()).await.expect("a response");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.expect("a body in text") }
    }

    pub async fn post(&self, path: &str, application: &Value) -> Answer {
        self.send(self.client.post(self.url(path)).json(application)).await
    }

    /// The answer of a request that has not joined the run of the one before: that one's run is under way until its write has been
    /// answered, which can be after the entry is there.
    pub async fn post_alone(&self, path: &str, application: &Value) -> Answer {
        loop {
            let answer = self.post(path, application).await;
            if !answer.cache_status().ends_with("collapsed") {
                return answer;
            }
        }
    }

    pub async fn post_with(&self, path: &str, application: &Value, cache_control: &str) -> Answer {
        self.send(self.client.post(self.url(path)).json(application).header("cache-control", cache_control)).await
    }

    /// Posts any body.
    pub async fn post_text(&self, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.send(self.client.post(self.url(path)).header("content-type", content_type).body(body)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.client.get(self.url(path))).await
    }
}
