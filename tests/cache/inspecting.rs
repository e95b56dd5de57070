//! `predict-once cache inspect` on every kind of server: it shows the fields by name, and explains why an entry is unusable.

use model_package::EntryContent;
use prediction_cache::{KeySpace, Layout, Namespace, Signer};
use test_support::{applications::example, eventually, models, redis::Redis};

use crate::{
    layouts::{Server, asked, everywhere, key, set, signed, signed_by},
    tools::tool,
};

#[tokio::test]
async fn an_entry_is_shown_with_its_fields_by_name_and_its_answers() {
    everywhere(async |server: Server, layout| {
        let (_service, http) = server.service(layout, &[]).await;
        let key = key(layout, "probability");
        eventually("all is stored", async || asked(&http, 30..31).await.iter().all(|status| status.contains("hit")))
            .await;
        let ended = tool(&["inspect", &key, "--json"], &server.settings(layout)).await;
        assert_eq!((ended.status, ended.err.as_str()), (0, ""), "{ended:?}");
        let shown = ended.json();
        let input: Vec<_> =
            shown["input"].as_array().expect("fields").iter().map(|field| field["text"].as_str()).collect();
        let expected = ["at least 0.25 and below 0.35", "30 years", "\"yes\"", "\"unemployed\"", "\"male: single\""];
        assert_eq!(input, expected.map(Some));
        let answers = shown["answers"].as_object().expect("answers");
        let probability = http.post("/probabilities", &example()).await.json();
        assert_eq!(answers["probability"], probability["probability"]);
        let names: Vec<_> = answers.keys().map(String::as_str).collect();
        let all = ["decision", "probability", "risk_category"];
        assert_eq!(names, if layout == Layout::String { vec!["probability"] } else { all.to_vec() });
        assert!(
            shown["ttl_seconds"].as_u64() > Some(544_000) && shown["memory_bytes"].as_u64() > Some(50),
            "{shown:#}"
        );
        let table = tool(&["inspect", &key], &server.settings(layout)).await;
        assert!(
            table.out.contains("age_in_years") && table.out.contains("the service answers with this entry"),
            "{}",
            table.out
        );

        for other in Layout::ALL.into_iter().filter(|other| *other != layout) {
            let ended = tool(&["inspect", &key], &server.settings(other)).await;
            assert_eq!(ended.status, 1);
            assert!(ended.out.contains(&format!("another layout: {}. A service", layout.name())), "{}", ended.out);
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_that_the_service_would_not_answer_from_is_explained() {
    let server = Server::One(Redis::start().await);
    let Server::One(redis) = &server else { unreachable!() };
    let settings = server.settings(Layout::String);
    let ours = key(Layout::String, "decision");
    let digest =
        KeySpace::new(&Namespace::default(), Layout::String, models::shipped().fingerprint(EntryContent::Answer));
    let digest = digest.key("decision", "1".repeat(201)).as_str().to_owned();
    let [accept, maybe] =
        [(&digest, "ACCEPT"), (&ours, "MAYBE")].map(|(key, value)| signed(Layout::String, key, "decision", value));
    redis.command::<()>(&["SET", &digest, &accept]).await;
    redis.command::<()>(&["SET", &ours, &maybe]).await;
    let (unsigned, copied) = (ours.replace("2,30", "2,33"), ours.replace("2,30", "2,34"));
    redis.command::<()>(&["SET", &unsigned, "DECLINE"]).await;
    redis.command::<()>(&["SET", &copied, &signed(Layout::String, &ours, "decision", "DECLINE")]).await;
    let list = ours.replace("2,30", "2,31");
    redis.command::<()>(&["RPUSH", &list, "DECLINE"]).await;
    for (key, text) in [
        ("session:1", "not a cache key of this service"),
        (&*ours.replace("predict-once", "other"), "another namespace: other, but CACHE_NAMESPACE is predict-once"),
        (
            "predict-once:0123456789abcdef:decision:1",
            "another model or version: the key's fingerprint is 0123456789abcdef",
        ),
        (&*ours.replace("decision", "verdict"), "the model has no prediction \"verdict\""),
        (&*ours.replace("2,30", "9,30"), "the input is not valid for this model"),
        (&*ours.replace("2,30", "2,32"), "no such key"),
        (&*ours, "decision: not a value that the service would store"),
        (&*unsigned, "decision: has no digest"),
        (&*copied, "decision: has a wrong digest"),
        (&*list, "the key holds another type of value"),
    ] {
        let ended = tool(&["inspect", key], &settings).await;
        assert_eq!((ended.status, ended.err.as_str()), (1, ""), "{key}");
        assert!(
            ended.out.contains(text) && ended.out.contains("the service does not answer with this entry"),
            "{key}: {}",
            ended.out
        );
    }
    let ended = tool(&["inspect", &digest], &settings).await;
    for text in
        ["the key contains only its digest", "decision valid", "decision \"ACCEPT\"", "the key has no time to live"]
    {
        assert!(ended.out.contains(text), "{}", ended.out);
    }
    assert_eq!(ended.status, 0, "the service would answer with it");
}

#[tokio::test]
async fn the_digest_of_each_value_is_compared_with_the_one_of_its_key_and_secret() {
    let secrets = ["correct horse battery", "another long secret"];
    everywhere(async |server: Server, layout| {
        let key = key(layout, "probability");
        let prediction = if layout == Layout::Output { "output" } else { "probability" };
        let signer = Signer::with_secret(secrets[0].as_bytes()).expect("long enough");
        for (stored, secret, digest, status) in [
            (signed_by(&signer, layout, &key, "probability", "0.25"), secrets[0], "valid", 0),
            (signed_by(&signer, layout, &key, "probability", "0.25"), secrets[1], "wrong", 1),
            (signed_by(&signer, layout, &key, "probability", "0.25"), "", "wrong", 1),
            (signed(layout, &key, "probability", "0.25"), secrets[0], "wrong", 1),
            (signed(layout, &key, "probability", "0.25"), "", "valid", 0),
            ("0.25".to_owned(), secrets[0], "missing", 1),
            ("0.25".to_owned(), "", "missing", 1),
        ] {
            server.command::<()>(&set(layout, &key, "probability", &stored)).await;
            let mut settings = server.settings(layout).to_vec();
            settings.push(("CACHE_SIGNING_KEY", secret.to_owned()));
            let ended = tool(&["inspect", &key, "--json"], &settings).await;
            let shown = ended.json();
            let found = (&shown["digests"][prediction], &shown["stored"][prediction], ended.status);
            assert_eq!(found, (&digest.into(), &stored.clone().into(), status), "{layout:?} {stored} {secret}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_another_program_wrote_is_shown_without_controlling_the_terminal() {
    let server = Server::One(Redis::start().await);
    let Server::One(redis) = &server else { unreachable!() };
    let settings = server.settings(Layout::String);
    let ours = key(Layout::String, "decision");
    let hostile = "\u{1b}[2J\u{9b}31m\r\nthe service answers with this entry";
    redis.command::<()>(&["SET", &ours, hostile]).await;
    let foreign = format!("\u{1b}]0;title\u{7}{hostile}");
    redis.command::<()>(&["SET", &foreign, hostile]).await;
    for key in [&*ours, &*foreign, &*format!("{hostile}:0123456789abcdef:decision:1")] {
        for arguments in [&["inspect", key][..], &["inspect", key, "--json"]] {
            let ended = tool(arguments, &settings).await;
            assert_eq!((ended.status, ended.err.as_str()), (1, ""), "{ended:?}");
            let controls = ended.out.chars().any(|character| character.is_control() && character != '\n');
            assert!(!controls, "{:?}", ended.out);
            assert!(ended.out.lines().all(|line| line != "the service answers with this entry"), "{}", ended.out);
        }
    }
    let shown = tool(&["inspect", &ours, "--json"], &settings).await.json();
    assert_eq!(shown["stored"]["decision"], hostile, "as JSON, it is complete");
}
