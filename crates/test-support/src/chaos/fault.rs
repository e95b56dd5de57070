//! The faults of Redis and of the network in front of it: how each starts and ends.

use std::time::Duration;

use super::world::{World, patient_connection};
use crate::{eventually, proxy::Mode};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Refused,
    Reset,
    Closed,
    Silenced,
    Blackhole,
    DelayedBelowTheDeadline,
    DelayedBeyondTheDeadline,
    Throttled,
    Cut,
    RepliesLost,
    Killed,
    Stopped,
    WritesPaused,
    Full,
    ReadOnly,
    MasterDown,
    OtherPassword,
    NoPermission,
    Loading,
}

/// An address without a listener: the kernel never assigns this port.
const DEAD_MASTER: [&str; 3] = ["REPLICAOF", "127.0.0.1", "1"];
const DISCONNECT: [&str; 6] = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];

impl Fault {
    pub const ALL: [Self; 19] = [
        Self::Refused,
        Self::Reset,
        Self::Closed,
        Self::Silenced,
        Self::Blackhole,
        Self::DelayedBelowTheDeadline,
        Self::DelayedBeyondTheDeadline,
        Self::Throttled,
        Self::Cut,
        Self::RepliesLost,
        Self::Killed,
        Self::Stopped,
        Self::WritesPaused,
        Self::Full,
        Self::ReadOnly,
        Self::MasterDown,
        Self::OtherPassword,
        Self::NoPermission,
        Self::Loading,
    ];

    /// The text for the report.
    pub fn description(self) -> &'static str {
        match self {
            Self::Refused => "network: every connection is reset at once, and new ones are",
            Self::Reset => "network: the open connection is reset (RST)",
            Self::Closed => "network: the open connection is closed (FIN)",
            Self::Silenced => "network: the open connection falls silent, new ones work",
            Self::Blackhole => "network: everything is swallowed, new connections too",
            Self::DelayedBelowTheDeadline => "network: 3 ms more in each direction",
            Self::DelayedBeyondTheDeadline => "network: 100 ms more in each direction",
            Self::Throttled => "network: 2,000 bytes per second",
            Self::Cut => "network: each connection is cut after 2,000 bytes of answers",
            Self::RepliesLost => "network: one reply in 20 is lost",
            Self::Killed => "Redis: killed (SIGKILL), then started again, empty",
            Self::Stopped => "Redis: stopped (SIGSTOP), then goes on",
            Self::WritesPaused => "Redis: writes are paused (CLIENT PAUSE)",
            Self::Full => "Redis: memory is full under noeviction (OOM)",
            Self::ReadOnly => "Redis: becomes a read-only replica (READONLY)",
            Self::MasterDown => "Redis: a replica without its master (MASTERDOWN)",
            Self::OtherPassword => "Redis: asks for a password, connections ended (NOAUTH)",
            Self::NoPermission => "Redis: the user may neither GET nor SET (NOPERM)",
            Self::Loading => "Redis: loads its data set (LOADING)",
        }
    }

    /// Whether the fault is one of the network, so that the service must reach Redis through the proxy.
    pub fn is_of_the_network(self) -> bool {
        matches!(
            self,
            Self::Refused
                | Self::Reset
                | Self::Closed
                | Self::Silenced
                | Self::Blackhole
                | Self::DelayedBelowTheDeadline
                | Self::DelayedBeyondTheDeadline
                | Self::Throttled
                | Self::Cut
                | Self::RepliesLost
        )
    }

    /// Whether no lookup can succeed during the fault.
    pub fn takes_lookups(self) -> bool {
        match self {
            Self::Refused
            | Self::Blackhole
            | Self::DelayedBeyondTheDeadline
            | Self::Throttled
            | Self::Killed
            | Self::Stopped
            | Self::MasterDown
            | Self::OtherPassword
            | Self::NoPermission
            | Self::Loading => true,
            Self::Reset
            | Self::Closed
            | Self::Silenced
            | Self::DelayedBelowTheDeadline
            | Self::Cut
            | Self::RepliesLost
            | Self::WritesPaused
            | Self::Full
            | Self::ReadOnly => false,
        }
    }

    /// Starts the fault. It is in effect when this returns.
    pub async fn strike(self, world: &mut World) {
        match self {
            Self::Refused => world.proxy.set(Mode::Refuse),
            Self::Reset => world.proxy.reset_open_connections(),
            Self::Closed => world.proxy.close_open_connections(),
            Self::Silenced => world.proxy.silence_open_connections(),
            Self::Blackhole => world.proxy.set(Mode::Blackhole),
            Self::DelayedBelowTheDeadline => world.proxy.set(Mode::Delay(Duration::from_millis(3))),
            Self::DelayedBeyondTheDeadline => world.proxy.set(Mode::Delay(Duration::from_millis(100))),
            Self::Throttled => world.proxy.set(Mode::Throttle(2000)),
            Self::Cut => world.proxy.set(Mode::CutAfter(2000)),
            Self::RepliesLost => world.proxy.lose_replies(Some(19)),
            Self::Killed => world.redis.kill(),
            Self::Stopped => world.hanging = Some(Box::new(world.redis.hang())),
            Self::WritesPaused => world.admin(&["CLIENT", "PAUSE", "600000", "WRITE"]).await,
            Self::Full => {
                world.admin::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1"]).await;
            }
            Self::ReadOnly => world.admin(&DEAD_MASTER).await,
            Self::MasterDown => {
                world.admin::<()>(&["CONFIG", "SET", "replica-serve-stale-data", "no"]).await;
                world.admin(&DEAD_MASTER).await
            }
            Self::OtherPassword => {
                world.admin::<()>(&["CONFIG", "SET", "requirepass", "another-password"]).await;
                world.admin(&DISCONNECT).await
            }
            Self::NoPermission => world.admin(&["ACL", "SETUSER", "default", "-get", "-set"]).await,
            Self::Loading => load_slowly(world).await,
        }
    }

    /// Ends the fault. Redis and the network work again when this returns.
    pub async fn heal(self, world: &mut World) {
        match self {
            Self::Refused
            | Self::Reset
            | Self::Closed
            | Self::Silenced
            | Self::Blackhole
            | Self::DelayedBelowTheDeadline
            | Self::DelayedBeyondTheDeadline
            | Self::Throttled
            | Self::Cut => world.proxy.set(Mode::Pass),
            Self::RepliesLost => world.proxy.lose_replies(None),
            Self::Killed => world.restart_redis().await,
            Self::Stopped => world.hanging = None,
            Self::WritesPaused => world.admin(&["CLIENT", "UNPAUSE"]).await,
            Self::Full => world.admin(&["CONFIG", "SET", "maxmemory", "0"]).await,
            Self::ReadOnly => world.admin(&["REPLICAOF", "NO", "ONE"]).await,
            Self::MasterDown => {
                world.admin::<()>(&["REPLICAOF", "NO", "ONE"]).await;
                world.admin(&["CONFIG", "SET", "replica-serve-stale-data", "yes"]).await
            }
            Self::OtherPassword => world.admin(&["CONFIG", "SET", "requirepass", ""]).await,
            Self::NoPermission => world.admin(&["ACL", "SETUSER", "default", "+get", "+set"]).await,
            Self::Loading => {
                world.admin::<()>(&["CONFIG", "SET", "key-load-delay", "0"]).await;
                world.reload.take().expect("it was begun").await.expect("it ends well");
            }
        }
    }
}

/// Makes Redis load a data set at one millisecond per key. In the meantime it answers `LOADING`.
async fn load_slowly(world: &mut World) {
    let settings = ["CONFIG", "SET", "key-load-delay", "1000", "loading-process-events-interval-bytes", "1024"];
    world.admin::<()>(&settings).await;
    // Enough keys that loading does not finish during the fault.
    world.admin::<()>(&["DEBUG", "POPULATE", "20000", "filler"]).await;
    let folder = world.admin::<(String, String)>(&["CONFIG", "GET", "dir"]).await.1;
    let mut connection = patient_connection(&world.redis).await;
    world.reload = Some(tokio::spawn(async move {
        redis::cmd("DEBUG").arg("RELOAD").exec_async(&mut connection).await.expect("Redis loads");
        std::fs::remove_file(format!("{folder}/dump.rdb")).expect("Redis saved what it loads");
    }));
    let other = patient_connection(&world.redis).await;
    let loads = async || {
        let refused = redis::cmd("EXISTS").arg("x").query_async::<bool>(&mut other.clone()).await;
        refused.is_err_and(|error| error.code() == Some("LOADING"))
    };
    eventually("Redis loads", loads).await;
}
