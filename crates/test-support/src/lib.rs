//! What the integration tests share: real servers on free ports, the real binary, and HTTP between them.
//!
//! Nothing here sleeps and hopes: [`eventually`] waits for a condition, up to a limit that only a failure reaches.

pub mod applications;
pub mod bench;
pub mod chaos;
pub mod collector;
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

/// How long a test waits for what must come. Far above what it takes, so that a slow machine is no failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The directory for the files of tests and benches: `tmp` beside the directory of the profile, as cargo's `CARGO_TARGET_TMPDIR`,
/// which a library does not see.
pub fn scratch_directory() -> PathBuf {
    let program = env::current_exe().expect("the path of this program");
    program.ancestors().nth(3).expect("cargo builds it as target/PROFILE/deps/NAME").join("tmp")
}

/// Waits for a condition.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"));
}

/// Waits for an answer that must come.
pub async fn soon<F: Future>(what: &str, answer: F) -> F::Output {
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}
