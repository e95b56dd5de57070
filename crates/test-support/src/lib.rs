//! Shared by integration tests and benches: real servers on free ports, the real binary, and HTTP clients.
//!
//! Nothing here relies on fixed sleeps: [`eventually`] waits for a condition, up to a limit that only a failure reaches.

pub mod applications;
pub mod bench;
pub mod certificates;
pub mod chaos;
pub mod collector;
pub mod dates;
pub mod dynamodb;
pub mod hostile;
pub mod models;
pub mod onnx;
pub mod packages;
pub mod proxy;
pub mod random;
pub mod redis;
pub mod rotel;
pub mod runtime_api;
pub mod service;
pub mod slow;

use std::{env, future::Future, path::PathBuf, time::Duration};

/// The root of the repository.
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The limit for every wait, long enough that a slow machine does not fail a test.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The directory for files of tests and benches: the one that cargo names in `CARGO_TARGET_TMPDIR`, a variable that it does not set for
/// libraries.
pub fn scratch_directory() -> PathBuf {
    let program = env::current_exe().expect("the path of this program");
    program.ancestors().nth(3).expect("cargo builds it as target/PROFILE/deps/NAME").join("tmp")
}

/// Waits until a condition holds.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"));
}

/// Awaits a future that must finish within [`PATIENCE`].
pub async fn soon<F: Future>(what: &str, answer: F) -> F::Output {
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}
