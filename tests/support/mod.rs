//! What the integration tests share: real servers on free ports, the real binary, and HTTP between them.
//!
//! Nothing here sleeps and hopes: [`eventually`] waits for a condition, up to a limit that only a failure reaches.

#![allow(dead_code, reason = "each test binary uses a part of this")]
#![allow(unreachable_pub, reason = "each test binary includes this as a private module")]

pub mod applications;
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

use std::{future::Future, time::Duration};

/// How long a test waits for what must come. Far above what it takes, so that a slow machine is no failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

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
