//! The functions that benches compare, each process under its own Runtime API.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Pid;
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::{
    ROOT,
    runtime_api::{Outcome, RuntimeApi},
    scratch_directory,
    service::{binary, lambda_environment, pid},
};

/// The command and variables that start a function.
#[derive(Clone, Debug)]
pub struct Function {
    command: Vec<OsString>,
    variables: Vec<(&'static str, String)>,
    /// The `cache-status` of a hit, if the function sends one.
    hit: Option<&'static str>,
}

impl Function {
    /// Answers with a constant.
    pub fn bare() -> Self {
        Self { command: vec![unzipped(&floor("bare_lambda"))], variables: Vec::new(), hit: None }
    }

    /// Fetches the answer from Redis.
    pub fn lookup(redis_url: String) -> Self {
        Self { command: vec![unzipped(&floor("lookup_lambda"))], variables: vec![("REDIS_URL", redis_url)], hit: None }
    }

    /// Runs the model, if `redis_url` is not set or Redis has no answer.
    pub fn model(redis_url: Option<String>) -> Self {
        let graph = ("MODEL", format!("{ROOT}/models/credit_risk/model.onnx"));
        let variables = redis_url.map(|url| ("REDIS_URL", url)).into_iter().chain([graph]).collect();
        Self { command: vec![unzipped(&floor("model_lambda"))], variables, hit: None }
    }

    /// The service with its cache in memory.
    pub fn in_memory() -> Self {
        let hit = Some("predict-once; hit; detail=memory");
        Self { command: vec![unzipped(&binary())], variables: Vec::new(), hit }
    }

    /// The service with its cache in Redis only: a memory tier would answer first.
    pub fn in_redis(url: String) -> Self {
        let no_memory = ("MEMORY_CACHE_ENTRIES", "0".to_owned());
        // On a busy machine or under valgrind, a short deadline would skip Redis, and the answer would still be counted as one from Redis.
        let patience = ["CACHE_READ_TIMEOUT_MS", "CACHE_WRITE_TIMEOUT_MS"].map(|name| (name, "10000".to_owned()));
        let variables = [("REDIS_URL", url), no_memory].into_iter().chain(patience).collect();
        Self { command: vec![unzipped(&binary())], variables, hit: Some("predict-once; hit; detail=redis") }
    }

    /// The service with the model package in this directory, and its cache in memory.
    pub fn package(directory: &Path) -> Self {
        let directory = directory.to_str().expect("UTF-8").to_owned();
        Self { variables: vec![("MODEL_DIR", directory)], hit: None, ..Self::in_memory() }
    }

    /// A FastAPI application of `benches/rivals` behind Mangum and AWS's runtime client.
    pub fn fastapi(python: &OsStr, application: &str, redis_url: String) -> Self {
        let command = [python, "-m".as_ref(), "awslambdaric".as_ref(), "lambda_function.handler".as_ref()];
        let rivals = format!("{ROOT}/benches/rivals");
        let variables = vec![("PYTHONPATH", rivals), ("APPLICATION", application.to_owned()), ("REDIS_URL", redis_url)];
        Self { command: command.map(OsString::from).to_vec(), variables, hit: None }
    }

    pub fn uses_redis(&self) -> bool {
        self.variables.iter().any(|(name, _)| *name == "REDIS_URL")
    }

    pub async fn start(&self) -> Process {
        self.start_under(&[]).await
    }

    /// Starts the function under another program, such as valgrind; `runner` is its name and options.
    pub async fn start_under(&self, runner: &[&OsStr]) -> Process {
        let api = RuntimeApi::start().await;
        let address = api.address.to_string();
        let variables: Vec<_> = self.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut words = runner.iter().copied().chain(self.command.iter().map(OsString::as_os_str));
        let started = Instant::now();
        let child = Command::new(words.next().expect("a program"))
            .args(words)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(lambda_environment(&address, &variables))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
        Process { api, child, started, hit: self.hit }
    }
}

/// A program of `benches/floors`, in the directory that `FLOORS` names.
///
/// # Panics
///
/// If the variable is not set.
pub fn floor(name: &str) -> PathBuf {
    let directory = std::env::var_os("FLOORS").expect("FLOORS names the directory with the bare functions");
    Path::new(&directory).join(name)
}

/// A copy of a program, written in one go as when unzipped. A file written by a linker is cached in small pieces, which makes a start
/// slower.
fn unzipped(built: &Path) -> OsString {
    let copy = scratch_directory().join(built.file_name().expect("a program"));
    // A running copy cannot be overwritten, but its name can be reused once removed.
    let _ = fs::remove_file(&copy);
    fs::copy(built, &copy).unwrap_or_else(|error| panic!("{}: {error}", built.display()));
    copy.into()
}

/// A function's process, killed on drop.
pub struct Process {
    api: RuntimeApi,
    pub child: Child,
    started: Instant,
    hit: Option<&'static str>,
}

impl Process {
    /// Waits until the function asks for its first event, and returns how long that took.
    pub async fn ready(&self) -> Duration {
        self.api.first_asked().await - self.started
    }

    /// Sends an event, then waits for the answer, whatever its status, and until the function is idle again.
    pub async fn send(&mut self, event: &Value) -> Outcome {
        let outcome = self.api.invoke(event).await;
        self.api.idle().await;
        outcome
    }

    /// Sends an event that must be answered with a prediction.
    pub async fn invoke(&mut self, event: &Value) -> Outcome {
        let outcome = self.send(event).await;
        assert_eq!(outcome.status(), 200, "{outcome:?}");
        outcome
    }

    /// Sends an event that must be answered from the cache.
    pub async fn hit(&mut self, event: &Value) -> Outcome {
        let outcome = self.invoke(event).await;
        if let Some(hit) = self.hit {
            assert_eq!(outcome.cache_status(), hit);
        }
        outcome
    }

    pub fn pid(&self) -> Pid {
        pid(&self.child)
    }

    /// The peak resident memory.
    pub fn peak_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs, on Linux");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the kernel tells");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a number") / 1024.0
    }

    /// Ends the process, so that it does not disturb later measurements.
    pub async fn end(mut self) {
        self.child.kill().await.expect("it runs");
    }
}
