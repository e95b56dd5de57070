//! A real Redis Cluster of three nodes.

use model_package::EntryContent;
use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, future},
};
use prediction_cache::{
    KeySpace, Layout, Lookup, PredictionCache, redis::IamTokens, redis::RedisConfig, redis::RedisStore,
};
use redis::IntoConnectionInfo;
use redis_test::cluster::{RedisCluster, RedisClusterConfiguration};
use test_support::{
    applications::aged,
    eventually, models,
    redis::suspended,
    service::{Answer, Http, Service},
};

const HIT: &str = "predict-once; hit; detail=redis";

pub(crate) struct Cluster(RedisCluster);

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::configured(RedisClusterConfiguration::default()).await
    }

    /// Three primaries, and a replica of each. The nodes never suspect each other.
    async fn start_with_replicas() -> Self {
        let cluster = Self::configured(RedisClusterConfiguration::single_replica_config()).await;
        for node in 0..6 {
            let patient = ["CONFIG", "SET", "cluster-node-timeout", "600000"];
            cluster.command::<()>(node, &patient).await.expect("it is set");
        }
        cluster
    }

    async fn configured(configuration: RedisClusterConfiguration) -> Self {
        let started = tokio::task::spawn_blocking(|| RedisCluster::new(configuration));
        Self(started.await.expect("the cluster starts"))
    }

    /// The nodes whose role is `master` or `slave`.
    async fn nodes(&self, role: &str) -> Vec<usize> {
        let mut nodes = Vec::new();
        for node in 0..self.0.servers.len() {
            let replication: String = self.command(node, &["INFO", "replication"]).await.expect("its role");
            if replication.contains(&format!("role:{role}")) {
                nodes.push(node);
            }
        }
        nodes
    }

    async fn replica_of(&self, primary: usize) -> usize {
        let port = self.url(primary).rsplit(':').next().expect("a port").to_owned();
        for node in self.nodes("slave").await {
            let replication: String = self.command(node, &["INFO", "replication"]).await.expect("its primary");
            if replication.contains(&format!("master_port:{port}")) {
                return node;
            }
        }
        panic!("{primary} has no replica");
    }

    /// Kills a primary and promotes its replica.
    async fn fail_over(&mut self, primary: usize) {
        let replica = self.replica_of(primary).await;
        self.0.servers[primary].stop();
        self.command::<()>(replica, &["CLUSTER", "FAILOVER", "TAKEOVER"]).await.expect("it takes over");
    }

    pub(crate) fn url(&self, node: usize) -> String {
        format!("redis://{}", self.0.servers[node].addr)
    }

    pub(crate) async fn command<T: redis::FromRedisValue>(&self, node: usize, words: &[&str]) -> redis::RedisResult<T> {
        let mut connection = redis::Client::open(self.url(node))?.get_multiplexed_async_connection().await?;
        let mut command = redis::cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(*word);
        });
        command.query_async(&mut connection).await
    }

    async fn id(&self, node: usize) -> String {
        self.command(node, &["CLUSTER", "MYID"]).await.expect("an id")
    }

    async fn holder(&self, key: &str) -> usize {
        for node in 0..3 {
            if self.command::<Option<String>>(node, &["GET", key]).await.is_ok_and(|value| value.is_some()) {
                return node;
            }
        }
        panic!("no node holds {key}");
    }

    /// Moves the slot of a key, and the key, to another node.
    async fn move_slot_of(&self, key: &str) {
        let from = self.holder(key).await;
        let to = (from + 1) % 3;
        let slot: u16 = self.command(0, &["CLUSTER", "KEYSLOT", key]).await.expect("a slot");
        let slot = slot.to_string();
        let (from_id, to_id) = (self.id(from).await, self.id(to).await);
        let third = (from + 2) % 3;
        let port = self.url(to).rsplit(':').next().expect("a port").to_owned();
        for (node, words) in [
            (to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id][..]),
            (from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]),
            (from, &["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]),
            (to, &["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]),
            (from, &["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]),
            (third, &["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]),
        ] {
            self.command::<()>(node, words).await.unwrap_or_else(|error| panic!("{words:?}: {error}"));
        }
        assert_eq!(self.holder(key).await, to);
        // A second move could take the slot back if the nodes have not yet learnt the epoch of this one.
        eventually("all nodes agree on the epoch", || async {
            let mut epochs = Vec::new();
            for node in 0..3 {
                let info: String = self.command(node, &["CLUSTER", "INFO"]).await.expect("the cluster's state");
                epochs.extend(info.lines().find(|line| line.starts_with("cluster_current_epoch")).map(str::to_owned));
            }
            epochs.iter().all(|epoch| *epoch == epochs[0])
        })
        .await;
    }
}

/// Posts the application at each age and compares the answers with the model's.
async fn all_right(http: &Http, ages: Range<u8>) -> Vec<Answer> {
    let model = models::shipped();
    let mut answers = Vec::new();
    for age in ages {
        let truth = models::answer(&model, "/probabilities", aged(age).to_string().as_bytes()).expect("valid");
        let answer = http.post("/probabilities", &aged(age)).await;
        assert_eq!((answer.status, &answer.text), (200, &truth));
        answers.push(answer);
    }
    answers
}

async fn all_hit(http: &Http, ages: Range<u8>) {
    eventually("hits only", || async {
        all_right(http, ages.clone()).await.iter().all(|answer| answer.cache_status() == HIT)
    })
    .await;
}

#[tokio::test]
async fn a_cluster_survives_a_moved_slot_and_causes_no_error_when_a_node_is_killed() {
    let mut cluster = Cluster::start().await;
    let url = cluster.url(0);
    let (_service, http) =
        Service::local(&[("REDIS_URL", &url), ("REDIS_CLUSTER", "true"), ("CACHE_READ_TIMEOUT_MS", "2000")]).await;
    // Thirty keys are enough to use all three nodes.
    all_hit(&http, 18..48).await;
    let mut sizes = Vec::new();
    for node in 0..3 {
        sizes.push(cluster.command::<usize>(node, &["DBSIZE"]).await.expect("a size"));
    }
    assert!(sizes.iter().sum::<usize>() == 30 && sizes.iter().all(|size| *size > 0), "{sizes:?}");

    let fingerprint = models::shipped().fingerprint(EntryContent::Answer).to_owned();
    for age in 18..24 {
        let key = format!("predict-once:{fingerprint}:probability:2,{age},0,0,2");
        cluster.move_slot_of(&key).await;
        assert_eq!(all_right(&http, age..age + 1).await[0].cache_status(), HIT, "a moved slot is followed");
    }
    all_hit(&http, 18..48).await;

    // Without replicas, the slots of a killed node are unavailable.
    cluster.0.servers[2].stop();
    all_right(&http, 18..48).await;
}

#[tokio::test]
async fn a_cluster_is_used_again_after_the_node_in_the_address_has_died() {
    let mut cluster = Cluster::start_with_replicas().await;
    let dies = cluster.nodes("master").await[0];
    let url = cluster.url(dies);
    let variables = [("REDIS_URL", &*url), ("REDIS_CLUSTER", "true"), ("CACHE_READ_TIMEOUT_MS", "500")];
    let (_service, http) = Service::local(&variables).await;
    all_hit(&http, 18..48).await;
    let hangs = cluster.nodes("master").await[1];
    cluster.fail_over(dies).await;
    all_hit(&http, 18..48).await;
    // The service gives up connections that do not answer. No node in the address does, but the process knows the others.
    let silent = suspended(&cluster.0.servers[hangs].process);
    let answers = all_right(&http, 18..48).await;
    assert!(answers.iter().any(|answer| answer.cache_status() == "predict-once; fwd=miss; detail=unavailable"));
    drop(silent);
    all_hit(&http, 18..48).await;
}

#[tokio::test]
async fn a_new_process_reaches_a_cluster_by_the_second_of_its_addresses() {
    let mut cluster = Cluster::start_with_replicas().await;
    let primaries = cluster.nodes("master").await;
    cluster.fail_over(primaries[0]).await;
    let urls = format!("{},{}", cluster.url(primaries[0]), cluster.url(primaries[1]));
    let (_service, http) = Service::local(&[("REDIS_URL", &urls), ("REDIS_CLUSTER", "true")]).await;
    all_hit(&http, 18..48).await;
}

#[tokio::test]
async fn a_replica_that_never_answers_does_not_delay_the_opening_of_a_cluster() {
    let cluster = Cluster::start_with_replicas().await;
    let url = cluster.url(cluster.nodes("master").await[0]);
    // The kernel accepts connections in its place.
    let _silent: Vec<_> =
        cluster.nodes("slave").await.into_iter().map(|node| suspended(&cluster.0.servers[node].process)).collect();
    let variables = [("REDIS_URL", &*url), ("REDIS_CLUSTER", "true"), ("CACHE_READ_TIMEOUT_MS", "5000")];
    let (_service, http) = Service::local(&variables).await;
    let start = std::time::Instant::now();
    for answer in all_right(&http, 18..48).await {
        assert_eq!(answer.cache_status(), "predict-once; fwd=miss");
    }
    all_hit(&http, 18..48).await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_cluster_used_as_a_single_server_causes_no_wrong_answer_and_logs_moved() {
    let cluster = Cluster::start().await;
    let url = cluster.url(0);
    let (service, http) = Service::local(&[("REDIS_URL", &url)]).await;
    all_right(&http, 18..48).await;
    service.line_with("error reply MOVED").await;
}

/// Counts how often the credentials are read, which is once per token.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl ProvideCredentials for Counted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        self.0.fetch_add(1, Ordering::Relaxed);
        future::ProvideCredentials::ready(Ok(Credentials::new("id", "secret", None, None, "test")))
    }
}

#[tokio::test]
async fn each_connection_to_a_node_authenticates_with_its_own_token() {
    let cluster = Cluster::start().await;
    for node in 0..3 {
        let user = ["ACL", "SETUSER", "predict-once", "on", "nopass", "~*", "+@all"];
        cluster.command::<()>(node, &user).await.expect("a user");
    }
    let tokens = Arc::new(AtomicUsize::new(0));
    let iam = IamTokens {
        cache: "predictions".to_owned(),
        user: "predict-once".to_owned(),
        region: "eu-central-1".to_owned(),
        serverless: false,
        credentials: SharedCredentialsProvider::new(Counted(Arc::clone(&tokens))),
    };
    let config = RedisConfig {
        cluster: true,
        iam: Some(iam),
        read_timeout: Duration::from_secs(10),
        ..RedisConfig::new(cluster.url(0).into_connection_info().expect("a URL"))
    };
    let cache = PredictionCache::new(None, Some(Box::new(RedisStore::new(config).expect("an address"))));
    let keys = KeySpace::new(&Default::default(), Layout::String, "model");
    let all_answered = async || {
        for input in 0..30 {
            if !matches!(cache.lookup(&[&keys.key("decision", input)]).await[..], [Lookup::Miss]) {
                return false;
            }
        }
        true
    };
    assert!(all_answered().await);
    let before = tokens.load(Ordering::Relaxed);
    for node in 0..3 {
        let clients: String = cluster.command(node, &["CLIENT", "LIST"]).await.expect("a list");
        assert!(clients.contains("user=predict-once"), "{clients}");
        let kill = ["CLIENT", "KILL", "USER", "predict-once"];
        cluster.command::<()>(node, &kill).await.expect("they are killed");
    }
    eventually("the nodes are reached again", all_answered).await;
    assert!(tokens.load(Ordering::Relaxed) >= before + 3, "{before} tokens before, as many after");
}
