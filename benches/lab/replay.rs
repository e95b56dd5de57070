//! One run: requests in order, each looked up and, on a miss, stored, as the service does.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use prediction_cache::{CacheKey, MAX_MEMORY_CACHE_BYTES, MemoryCache, Signer};

use super::{
    catalogue::Entries,
    server::Server,
    wire::{Reply, encode},
};

/// The number of lookups sent at once. Their misses are stored before the next window.
const WINDOW: usize = 32;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) policy: &'static str,
    /// Memory for entries, in bytes.
    pub(crate) room: u64,
    /// The capacity of the memory tier, in entries.
    pub(crate) tier: usize,
    /// The minimum duration of the replay.
    pub(crate) pace: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) requests: u64,
    /// Answered by the memory tier.
    pub(crate) here: u64,
    /// Answered by Redis.
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    /// Values that differ from the stored ones.
    pub(crate) wrong: u64,
    pub(crate) failed_writes: u64,
    pub(crate) evictions: u64,
    /// The maximum number of keys in Redis.
    pub(crate) most_keys: usize,
    pub(crate) time: Duration,
}

struct Replay<'a> {
    entries: &'a Entries,
    tier: Option<MemoryCache>,
    /// For each entry, the last window that looked it up in Redis, and the last one that missed it.
    asked_in: Vec<usize>,
    missed_in: Vec<usize>,
    window: usize,
    outcome: Outcome,
}

pub(crate) fn replay(
    server: &mut Server,
    entries: &Entries,
    requests: &[u32],
    setup: Setup,
    progress: &AtomicU64,
) -> io::Result<Outcome> {
    server.prepare(setup.policy, setup.room)?;
    let memory = (setup.tier > 0).then(|| MemoryCache::new(setup.tier, MAX_MEMORY_CACHE_BYTES));
    let mut replay = Replay {
        entries,
        tier: memory,
        asked_in: vec![0; entries.keys.len()],
        missed_in: vec![0; entries.keys.len()],
        window: 0,
        outcome: Outcome { requests: requests.len() as u64, ..Outcome::default() },
    };
    let start = Instant::now();
    let mut arriving = requests.iter().map(|request| entries.of(*request));
    let (mut waiting, mut stores) = (Vec::new(), Vec::new());
    loop {
        let new: Vec<_> = arriving.by_ref().take(WINDOW).collect();
        if new.is_empty() && waiting.is_empty() && stores.is_empty() {
            break;
        }
        (waiting, stores) = replay.window(server, &waiting, &new, &stores)?;
        progress.fetch_add(new.len() as u64, Relaxed);
        let done = (requests.len() - arriving.len()) as f64 / requests.len() as f64;
        thread::sleep(setup.pace.mul_f64(done).saturating_sub(start.elapsed()));
    }
    let mut outcome = replay.outcome;
    outcome.time = start.elapsed();
    outcome.evictions = server.wire.info_number("evicted_keys")?;
    Ok(outcome)
}

impl Replay<'_> {
    /// Stores the misses of the last window, then looks up the requests that waited for them and the new requests. Returns the lookups that
    /// wait for a store of this window, and its stores.
    fn window(
        &mut self,
        server: &mut Server,
        waited: &[u32],
        new: &[u32],
        stores: &[u32],
    ) -> io::Result<(Vec<u32>, Vec<u32>)> {
        self.window += 1;
        let (mut commands, mut waits, mut asked, mut missed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for entry in stores {
            commands.extend(&self.entries.stores[*entry as usize]);
            let (key, value) = self.entry(*entry);
            self.keep(key, value);
        }
        if !stores.is_empty() {
            commands.extend(encode(&[b"DBSIZE"]));
        }
        let all = waited.iter().map(|entry| (*entry, true)).chain(new.iter().map(|entry| (*entry, false)));
        for (entry, has_waited) in all {
            if self.tier.as_ref().is_some_and(|tier| tier.get(self.entry(entry).0).is_some()) {
                self.outcome.here += 1;
                continue;
            }
            let asked_before = std::mem::replace(&mut self.asked_in[entry as usize], self.window) == self.window;
            if asked_before && self.tier.is_some() {
                // The memory tier will have the entry once the lookup in flight has been answered.
                waits.push(entry);
                continue;
            }
            commands.extend(&self.entries.lookups[entry as usize]);
            asked.push((entry, has_waited));
        }
        server.wire.send(&commands)?;
        self.read_stores(server, stores.len())?;
        for (entry, has_waited) in asked {
            match server.wire.reply()? {
                Reply::Text(value) => {
                    let (key, stored) = self.entry(entry);
                    let is_wrong = Signer::default().verify(key, value.into()).ok().as_ref() != Some(stored);
                    self.keep(key, stored);
                    self.outcome.hits += 1;
                    self.outcome.wrong += u64::from(is_wrong);
                }
                Reply::Nil => {
                    let before = std::mem::replace(&mut self.missed_in[entry as usize], self.window) == self.window;
                    if before && !has_waited {
                        waits.push(entry);
                    } else {
                        self.outcome.misses += 1;
                        missed.push(entry);
                    }
                }
                other => return Err(io::Error::other(format!("a lookup was answered with {other:?}"))),
            }
        }
        Ok((waits, missed))
    }

    fn read_stores(&mut self, server: &mut Server, stores: usize) -> io::Result<()> {
        for _ in 0..stores {
            let replies: io::Result<Vec<_>> = (0..self.entries.replies_to_store).map(|_| server.wire.reply()).collect();
            let failed = replies?.iter().any(|reply| matches!(reply, Reply::Error(_)));
            self.outcome.failed_writes += u64::from(failed);
        }
        if stores > 0
            && let Reply::Number(keys) = server.wire.reply()?
        {
            self.outcome.most_keys = self.outcome.most_keys.max(usize::try_from(keys).unwrap_or_default());
        }
        Ok(())
    }

    fn keep(&self, key: &CacheKey, value: &bytes::Bytes) {
        if let Some(tier) = &self.tier {
            tier.put(key.clone(), value.clone());
        }
    }

    fn entry(&self, entry: u32) -> (&CacheKey, &bytes::Bytes) {
        (&self.entries.keys[entry as usize], &self.entries.values[entry as usize])
    }
}
