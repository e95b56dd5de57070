//! A real redis-server on a free port.

use std::{
    net::SocketAddr,
    process::{Child, Stdio},
};

use redis::{ConnectionAddr, FromRedisValue, IntoConnectionInfo, aio::MultiplexedConnection};
use redis_test::{
    server::RedisServer,
    utils::{TlsFilePaths, get_random_available_port},
};
use rustix::process::{Pid, Signal, kill_process};

use crate::eventually;

pub struct Redis {
    server: Option<RedisServer>,
    pub port: u16,
    tls_port: Option<u16>,
}

impl Redis {
    /// Starts a server and waits until it answers.
    pub async fn start() -> Self {
        let server = RedisServer::new();
        let port = server.host_and_port().expect("a TCP server").1;
        let redis = Self { server: Some(server), port, tls_port: None };
        redis.answers().await;
        redis
    }

    /// Starts a server with a TLS port, whose certificate is signed by its own authority, and a plain port for the test itself.
    pub async fn start_tls() -> Self {
        Self::start_with_certificate(None, false).await
    }

    /// Starts a server with a TLS port and this certificate, which may demand one from clients, and a plain port for the test itself.
    pub async fn start_with_certificate(certificate: Option<TlsFilePaths>, demands_another: bool) -> Self {
        let (port, tls_port) = (get_random_available_port(), get_random_available_port());
        let address =
            ConnectionAddr::TcpTls { host: "127.0.0.1".to_owned(), port: tls_port, insecure: false, tls_params: None };
        let spawn = |command: &mut std::process::Command| {
            command.arg("--port").arg(port.to_string()).spawn().expect("redis-server starts")
        };
        let server = RedisServer::new_with_addr_tls_modules_and_spawner(
            address,
            None,
            certificate,
            demands_another,
            None,
            &[],
            spawn,
        );
        let redis = Self { server: Some(server), port, tls_port: Some(tls_port) };
        redis.answers().await;
        redis
    }

    /// Starts the Valkey that the variable `VALKEY_SERVER` names; `make test` sets it. `None` if it is not set.
    pub async fn start_valkey() -> Option<Self> {
        let Some(binary) = std::env::var_os("VALKEY_SERVER") else {
            eprintln!("not run on Valkey: VALKEY_SERVER is not set");
            return None;
        };
        let port = get_random_available_port();
        let address = ConnectionAddr::Tcp("127.0.0.1".to_owned(), port);
        let spawn = |_: &mut std::process::Command| {
            let mut command = std::process::Command::new(&binary);
            command.args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()]);
            command.stdout(Stdio::null()).spawn().expect("valkey-server starts")
        };
        let server = RedisServer::new_with_addr_tls_modules_and_spawner(address, None, None, false, None, &[], spawn);
        let valkey = Self { server: Some(server), port, tls_port: None };
        valkey.answers().await;
        Some(valkey)
    }

    /// The URL of the TLS port, and the certificate file of its authority.
    pub fn tls(&self) -> (String, String) {
        let port = self.tls_port.expect("started with TLS");
        let paths = self.server.as_ref().and_then(|server| server.tls_paths.as_ref()).expect("started with TLS");
        (format!("rediss://127.0.0.1:{port}"), paths.ca_crt.to_string_lossy().into_owned())
    }

    /// Ends the server with SIGKILL; the kernel closes its connections.
    pub fn kill(&mut self) {
        self.server.take();
    }

    /// Suspends the process: connections stay open, but nothing is answered. Dropping the guard resumes it.
    pub fn hang(&self) -> impl Drop + use<> {
        suspended(&self.server.as_ref().expect("it runs").process)
    }

    /// Kills the server and starts an empty one on the same port.
    pub async fn restart(&mut self) {
        self.kill();
        let address = ConnectionAddr::Tcp("127.0.0.1".to_owned(), self.port);
        self.server = Some(RedisServer::new_with_addr_and_modules(address, &[], false));
        self.answers().await;
    }

    async fn answers(&self) {
        eventually("redis-server answers", || async { self.try_command::<String>(&["PING"]).await.is_ok() }).await;
    }

    /// Becomes a replica of `primary`, whose data set it has when this returns. Its connections stay open.
    pub async fn replicate(&self, primary: &Self) {
        // Through a socket only: a file would be the data set of the servers that start next.
        primary.command::<()>(&["CONFIG", "SET", "repl-diskless-sync", "yes", "repl-diskless-sync-delay", "0"]).await;
        self.command::<()>(&["CONFIG", "SET", "repl-diskless-load", "swapdb"]).await;
        self.command::<()>(&["REPLICAOF", "127.0.0.1", &primary.port.to_string()]).await;
        let is_synchronised = async || {
            let replication = self.try_command::<String>(&["INFO", "replication"]).await;
            replication.is_ok_and(|replication| replication.contains("master_link_status:up"))
        };
        eventually("the replica is synchronised", is_synchronised).await;
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Runs a command on a new connection.
    pub async fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_command(words).await.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    pub async fn connection(&self) -> MultiplexedConnection {
        self.try_connection().await.expect("Redis runs")
    }

    async fn try_connection(&self) -> redis::RedisResult<MultiplexedConnection> {
        redis::Client::open(self.url().into_connection_info()?)?.get_multiplexed_async_connection().await
    }

    async fn try_command<T: FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut connection = self.try_connection().await?;
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(*word);
        });
        command.query_async(&mut connection).await
    }

    /// All keys in alphabetical order.
    pub async fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.command(&["KEYS", "*"]).await;
        keys.sort();
        keys
    }

    /// Waits until Redis holds this many keys, because writes come after responses.
    pub async fn holds(&self, keys: usize) {
        eventually(&format!("{keys} keys in Redis"), || async { self.keys().await.len() == keys }).await;
    }
}

/// Suspends a process until the guard is dropped.
pub fn suspended(process: &Child) -> impl Drop + use<> {
    struct Suspended(Pid);
    impl Drop for Suspended {
        fn drop(&mut self) {
            let _ = kill_process(self.0, Signal::CONT);
        }
    }
    let pid = Pid::from_child(process);
    kill_process(pid, Signal::STOP).expect("the process is ours");
    Suspended(pid)
}
