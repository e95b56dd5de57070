//! Fuzzed data from the cache: entries, and replies of a server that only claims to be Redis.

use std::{net::SocketAddr, time::Duration};

use axum::http::StatusCode;
use bytes::Bytes;
use model_package::Prediction;
use prediction_cache::{CacheKey, PredictionCache, Signer, redis::RedisConfig, redis::RedisStore};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::TestCaseResult};
use redis::IntoConnectionInfo;
use test_support::{applications::example, models};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    edit::{any_edit, edited},
    fuzz,
    subject::{Subject, current_thread},
};

/// Asserts that an entry is only read as a prediction if it is exactly the entry that the prediction is stored as.
pub(crate) fn strictly(prediction: &Prediction, entry: &Bytes) -> TestCaseResult {
    if let Some(answer) = prediction.read(entry) {
        prop_assert_eq!(models::entry_of(prediction, &answer.body), entry.to_vec());
        prop_assert_eq!(&answer.entry, entry);
    }
    Ok(())
}

#[test]
fn an_entry_is_only_read_as_a_prediction_that_is_stored_as_that_entry() {
    let model = models::shipped();
    let written =
        select(vec!["ACCEPT", "DECLINE", "low_risk", "very_high_risk", "0.32025427", "0.0", "1.0", "1e-5", "1e-45"]);
    let entries = prop_oneof![
        vec(any::<u8>(), 0..24),
        (written, vec(any_edit(), 0..3)).prop_map(|(entry, edits)| edited(entry, &edits)),
        "[-+]?[0-9]{0,12}(\\.[0-9]{0,12})?([eE][-+]?[0-9]{1,3})?".prop_map(String::into_bytes),
    ];
    fuzz(20_000, 1, entries, |entry| {
        let entry = entry.into();
        model.signature().predictions().iter().try_for_each(|prediction| strictly(prediction, &entry))
    });
}

/// A server that completes Redis's handshake and then answers every lookup and write with `reply`.
pub(crate) async fn impostor(reply: Bytes) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let reply = reply.clone();
            tokio::spawn(async move {
                let mut command = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut command).await {
                    let text = String::from_utf8_lossy(&command[..length]);
                    // The handshake names the client library in commands that start with CLIENT.
                    let greetings = text.matches("CLIENT\r\n").count();
                    let answer = if greetings > 0 { "+OK\r\n".repeat(greetings).into() } else { reply.clone() };
                    if stream.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// None of these replies contains a wrong value with the digest of its key: without a signing key, the service could not detect one.
#[test]
fn arbitrary_replies_from_redis_never_cause_a_wrong_answer() {
    let another = CacheKey::from_parts("predict-once:0123456789abcdef:decision:2,30,0,0,2", None);
    let of_another = Signer::default().sign(&another, b"ACCEPT");
    let of_another = format!("${}\r\n{}\r\n", of_another.len(), of_another.escape_ascii());
    let replies = prop_oneof![
        vec(any::<u8>(), 0..64),
        vec(any_edit(), 0..3).prop_map(move |edits| edited(&of_another, &edits)),
        (
            select(vec![
                "$7\r\nDECLINE\r\n",
                "+DECLINE\r\n",
                "$-1\r\n",
                "*1\r\n$7\r\nDECLINE\r\n",
                "%1\r\n+a\r\n:1\r\n",
                "=11\r\ntxt:DECLINE\r\n",
                "-ERR no\r\n",
                ">2\r\n+invalidate\r\n*0\r\n",
                "(3492890328409238509324850943850943825024385\r\n",
                ",inf\r\n",
            ]),
            vec(any_edit(), 0..3)
        )
            .prop_map(|(reply, edits)| edited(reply, &edits)),
    ];
    // A case waits for one or two deadlines, a hundred times as long as other cases take.
    fuzz(100, 100, replies, |reply| {
        let runtime = current_thread();
        let address = runtime.block_on(impostor(reply.into()));
        let connection = format!("redis://{address}").into_connection_info().expect("an address");
        let deadline = Duration::from_millis(20);
        let config = RedisConfig { read_timeout: deadline, write_timeout: deadline, ..RedisConfig::new(connection) };
        let subject = Subject::on(
            runtime,
            PredictionCache::new(None, Some(Box::new(RedisStore::new(config).expect("an address")))),
        );
        for _ in 0..2 {
            prop_assert_eq!(subject.post("/decisions", example().to_string())?, StatusCode::OK);
        }
        Ok(())
    });
}
