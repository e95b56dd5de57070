//! `CACHE_PER_TENANT`: under Lambda's tenant isolation, each tenant has its own entries in every layout and in both tiers.

use model_package::EntryContent;
use std::collections::BTreeMap;

use prediction_cache::{Layout, ParsedKey};
use serde_json::Value;
use test_support::{
    applications::aged,
    models,
    proxy::{Mode, Proxy},
    redis::Redis,
    runtime_api::{Invocation, RuntimeApi},
    service::Service,
};

use crate::{
    layouts::{HIT, key},
    tools::tool,
};

const MISS: &str = "predict-once; fwd=miss";
const HIT_IN_MEMORY: &str = "predict-once; hit; detail=memory";
const WITHOUT_CACHE: &str = "predict-once; fwd=bypass";

fn event(body: &Value) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("../../events/http-api.json")).expect("JSON");
    event["body"] = body.to_string().into();
    event
}

/// The `cache-status` of a request with or without a tenant, once its write has ended.
async fn asked(api: &mut RuntimeApi, tenant: Option<&str>, body: &Value) -> String {
    let outcome = match tenant {
        Some(tenant) => api.invoke_for(tenant, &event(body)).await,
        None => api.invoke(&event(body)).await,
    };
    assert_eq!(outcome.status(), 200, "{outcome:?}");
    api.idle().await;
    outcome.cache_status().to_owned()
}

fn settings(redis: &Redis, layout: Layout) -> [(&'static str, String); 3] {
    let yes = "true".to_owned();
    [("REDIS_URL", redis.url()), ("CACHE_LAYOUT", layout.name().to_owned()), ("CACHE_PER_TENANT", yes)]
}

/// Starts a function that uses this Redis.
async fn started(redis: &Redis, layout: Layout, more: &[(&str, &str)]) -> (RuntimeApi, Service) {
    let api = RuntimeApi::start().await;
    let settings = settings(redis, layout);
    let variables: Vec<_> = settings.iter().map(|(name, value)| (*name, &**value)).collect();
    let service = Service::lambda(&api, &[&variables[..], more].concat());
    (api, service)
}

/// The key of the tenant's own entry for the example.
fn of_tenant(tenant: &str, layout: Layout, prediction: &str) -> String {
    key(layout, prediction).replacen("predict-once:", &format!("predict-once:@{tenant}:"), 1)
}

#[tokio::test]
async fn two_tenants_never_share_an_entry() {
    for layout in Layout::ALL {
        let redis = Redis::start().await;
        let (mut api, _service) = started(&redis, layout, &[]).await;
        for body in [aged(30), Value::from(vec![aged(40), aged(41)])] {
            for tenant in ["acme", "globex"] {
                assert_eq!(asked(&mut api, Some(tenant), &body).await, MISS, "{layout:?} {tenant}");
                assert_eq!(asked(&mut api, Some(tenant), &body).await, HIT, "{layout:?} {tenant}");
            }
        }
        let keys = redis.keys().await;
        let of =
            |tenant| keys.iter().filter(|key| ParsedKey::parse(key).expect("a key").tenant == Some(tenant)).count();
        assert_eq!((of("acme"), of("globex"), keys.len()), (3, 3, 6), "{keys:?}");
        assert!(keys.contains(&of_tenant("acme", layout, "decision")), "{keys:?}");
    }
}

#[tokio::test]
async fn two_tenants_never_share_an_entry_in_memory() {
    let mut api = RuntimeApi::start().await;
    let _service = Service::lambda(&api, &[("CACHE_PER_TENANT", "true")]);
    for tenant in ["acme", "globex"] {
        assert_eq!(asked(&mut api, Some(tenant), &aged(30)).await, MISS, "{tenant}");
        assert_eq!(asked(&mut api, Some(tenant), &aged(30)).await, HIT_IN_MEMORY, "{tenant}");
    }
}

#[tokio::test]
async fn two_tenants_never_share_a_run() {
    let redis = Redis::start().await;
    let proxy = Proxy::to_redis(&redis).await;
    let url = proxy.url();
    let variables = [("AWS_LAMBDA_MAX_CONCURRENCY", "16"), ("REDIS_URL", &url)];
    let (mut api, _service) = started(&redis, Layout::String, &variables).await;
    api.first_asked().await;
    proxy.set(Mode::Hold);
    let mut tenants = BTreeMap::new();
    for tenant in ["acme", "globex"].into_iter().cycle().take(16) {
        let invocation = Invocation { tenant: Some(tenant.to_owned()), ..(&event(&aged(30))).into() };
        tenants.insert(api.send(invocation), tenant);
    }
    api.handed_out(16).await;
    proxy.set(Mode::Pass);
    let mut runs = Vec::new();
    for _ in 0..16 {
        let (id, outcome) = api.outcome().await;
        if outcome.cache_status() == MISS {
            runs.push(tenants[&id]);
        }
    }
    runs.sort_unstable();
    assert_eq!(runs, ["acme", "globex"]);
    redis.holds(2).await;
}

#[tokio::test]
async fn a_request_without_a_valid_tenant_is_answered_without_the_cache() {
    let redis = Redis::start().await;
    let (mut api, service) = started(&redis, Layout::String, &[("MEMORY_CACHE_ENTRIES", "100")]).await;
    assert_eq!(asked(&mut api, Some("acme"), &aged(30)).await, MISS);
    for tenant in [None, Some(""), Some("{acme}"), Some("*")] {
        for body in [aged(30), Value::from(vec![aged(30)])] {
            for _ in 0..2 {
                assert_eq!(asked(&mut api, tenant, &body).await, WITHOUT_CACHE, "{tenant:?}");
            }
        }
        let mut only_if_cached = event(&aged(30));
        only_if_cached["headers"]["cache-control"] = "only-if-cached".into();
        assert_eq!(api.invoke(&only_if_cached).await.status(), 504);
        let mut store = event(&aged(30));
        store["headers"]["cache-control"] = "no-cache".into();
        assert_eq!(api.invoke(&store).await.status(), 200);
        api.idle().await;
    }
    assert_eq!(redis.keys().await, [of_tenant("acme", Layout::String, "decision")]);
    let warnings = service.lines().iter().filter(|line| line.contains("a request has no tenant")).count();
    assert_eq!(warnings, 1);
}

#[tokio::test]
async fn without_the_setting_a_tenant_changes_nothing() {
    let redis = Redis::start().await;
    let (mut api, _service) = started(&redis, Layout::String, &[("CACHE_PER_TENANT", "")]).await;
    assert_eq!(asked(&mut api, Some("acme"), &aged(30)).await, MISS);
    for tenant in [Some("globex"), Some("{odd}"), None] {
        assert_eq!(asked(&mut api, tenant, &aged(30)).await, HIT);
    }
    assert_eq!(redis.keys().await, [key(Layout::String, "decision")]);
}

#[tokio::test]
async fn tenants_with_odd_ids_have_their_own_entries() {
    let redis = Redis::start().await;
    let long = ["a".repeat(256), format!("{}b", "a".repeat(255))];
    let fingerprint = models::shipped().fingerprint(EntryContent::Answer).to_owned();
    let ids = ["acme:@hash", "acme", "acme:", "@acme", "a/b=c + d", &fingerprint, "-", &long[0], &long[1]];
    for layout in Layout::ALL {
        redis.command::<()>(&["FLUSHALL"]).await;
        let (mut api, _service) = started(&redis, layout, &[]).await;
        for id in ids {
            assert_eq!(asked(&mut api, Some(id), &aged(30)).await, MISS, "{layout:?} {id}");
            assert_eq!(asked(&mut api, Some(id), &aged(30)).await, HIT, "{layout:?} {id}");
        }
        let keys = redis.keys().await;
        assert_eq!(keys.len(), ids.len());
        let rest = key(layout, "decision").replacen("predict-once:", "", 1);
        assert!(keys.iter().all(|key| key.starts_with("predict-once:@") && key.ends_with(&rest)), "{keys:?}");
    }
}

#[tokio::test]
async fn the_tools_distinguish_entries_with_and_without_a_tenant() {
    for layout in Layout::ALL {
        let redis = Redis::start().await;
        let per_tenant = settings(&redis, layout);
        let common = &per_tenant[..2];
        let header = "age_in_years,foreign_worker,personal_status_and_sex,\
                      installment_rate_in_percentage_of_disposable_income,present_employment_since";
        let rows = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tenants-{}.csv", layout.name()));
        std::fs::write(&rows, format!("{header}\n30,yes,male: single,0.25,unemployed\n")).expect("written");
        let rows = rows.to_str().expect("UTF-8");
        let refused = tool(&["warm", rows], &per_tenant).await;
        assert!(refused.status == 1 && refused.err.contains("--tenant ID"), "{refused:?}");
        let refused = tool(&["warm", rows, "--tenant", "acme"], common).await;
        assert!(refused.status == 1 && refused.err.contains("CACHE_PER_TENANT=true"), "{refused:?}");
        for (tenant, settings) in [(&["--tenant", "acme"][..], &per_tenant[..]), (&[], common)] {
            let warmed = tool(&[&["warm", rows], tenant].concat(), settings).await;
            assert_eq!(warmed.status, 0, "{warmed:?}");
        }
        let (mut api, _service) = started(&redis, layout, &[]).await;
        assert_eq!(asked(&mut api, Some("acme"), &aged(30)).await, HIT, "what was warmed for it");
        assert_eq!(asked(&mut api, Some("globex"), &aged(31)).await, MISS);

        let (of_acme, of_nobody) = (of_tenant("acme", layout, "decision"), key(layout, "decision"));
        for (key, settings, other, note) in [
            (
                &of_acme,
                &per_tenant[..],
                common,
                "the key belongs to a tenant: only a service with CACHE_PER_TENANT=true reads it",
            ),
            (
                &of_nobody,
                common,
                &per_tenant,
                "the key has no tenant: a service with CACHE_PER_TENANT=true does not read it",
            ),
        ] {
            let shown = tool(&["inspect", key, "--json"], settings).await;
            assert_eq!((shown.status, &shown.json()["is_served"]), (0, &true.into()), "{shown:?}");
            assert_eq!(shown.json()["tenant"].as_str(), (key == &of_acme).then_some("acme"));
            let shown = tool(&["inspect", key], other).await;
            assert!(shown.status == 1 && shown.out.contains(note), "{shown:?}");
        }

        let warmed = if layout == Layout::String { 3 } else { 1 };
        for (settings, current, other) in [(&per_tenant[..], warmed + 1, warmed), (common, warmed, warmed + 1)] {
            let report = tool(&["report", "--json"], settings).await.json();
            let found: BTreeMap<_, _> = report["sample"]["kinds"]
                .as_array()
                .expect("kinds")
                .iter()
                .map(|kind| (kind["kind"].as_str().expect("text"), kind["entries"].as_f64().expect("a number")))
                .collect();
            assert_eq!(
                found,
                [("current", f64::from(current)), ("other_tenancy", f64::from(other))].into(),
                "{report:#}"
            );
            assert!(report["warnings"].to_string().contains("with this CACHE_PER_TENANT does not read"), "{report:#}");
        }
    }
}
