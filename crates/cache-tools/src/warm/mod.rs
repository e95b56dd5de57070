//! `predict-once cache warm`: predictions computed ahead, batch by batch.
//!
//! ```text
//! rows (a thread of their own) ─► batch ─► is there room? ─► look up, compute, store ─► wait as long as Redis worked
//! ```
//!
//! One batch is in flight at a time, of few commands, so that requests of the service find Redis free in between.

mod cells;
mod entries;
mod progress;
mod room;
mod rows;

use std::{sync::Arc, time::Duration};

use prediction_cache::{Fault, Tenant};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use self::{entries::Entries, progress::Progress, room::Room, rows::Rows};
use super::{
    Printed, Subject, ToolError, WarmOptions,
    words::{count, percent, plural},
};

/// How many entries a batch has at most: each is looked up, and stored if it is missing.
const BATCH: usize = 300;

/// The longest pause between two batches.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How many invalid rows are told apart; the others are counted.
const MOST_TOLD: usize = 20;

/// What has been done so far.
#[derive(Debug, Default)]
struct Tally {
    rows: u64,
    stored: u64,
    present: u64,
    invalid: u64,
}

/// How it came to an end.
enum End {
    Done,
    Full(f64),
    Interrupted,
    Fault(Fault),
}

/// Warms the cache.
pub(super) async fn run(subject: Subject, options: WarmOptions) -> Result<Printed, ToolError> {
    match (subject.per_tenant, &options.tenant) {
        (true, None) => return Err(ToolError::NoTenant),
        (false, Some(_)) => return Err(ToolError::NotPerTenant),
        _ => {}
    }
    let tenant = options.tenant.as_deref().and_then(Tenant::new);
    let mut room = Room::watch(&subject.redis, options.until).await?;
    let entries = Entries::new(&subject, tenant.as_ref(), options.renew).map_err(|fault| subject.unreachable(fault))?;
    let rows_per_batch = (BATCH / entries.per_input()).max(1);
    let mut rows = Rows::open(&options.file, options.from_line, rows_per_batch, Arc::clone(&subject.model))?;
    let mut progress = Progress::new(rows.size);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut tally = Tally::default();
    let mut next_line = options.from_line;
    let end = loop {
        let batch = tokio::select! {
            biased;
            _ = interrupt.recv() => break End::Interrupted,
            batch = rows.next() => batch,
        };
        let Some(batch) = batch else { break End::Done };
        let batch = batch?;
        match room.fullness().await {
            Ok(share) if share >= options.until => break End::Full(share),
            Ok(_) => {}
            Err(fault) => break End::Fault(fault),
        }
        let warmed = match entries.store(&batch.inputs).await {
            Ok(warmed) => warmed,
            Err(fault) => break End::Fault(fault),
        };
        tally.rows += batch.rows;
        tally.stored += warmed.stored as u64;
        tally.present += warmed.present as u64;
        let line = |position: &usize| batch.lines[*position];
        let failed = warmed.failed.iter().map(|input| format!("line {}: the model gives no answer", line(input)));
        let blocked =
            warmed.blocked.iter().map(|input| format!("line {}: its key holds another type of value", line(input)));
        for problem in batch.problems.iter().cloned().chain(failed).chain(blocked) {
            tally.invalid += 1;
            if tally.invalid <= MOST_TOLD as u64 {
                progress.tell(&problem);
            }
        }
        next_line = batch.next_line;
        progress.show(&tally, batch.bytes_read);
        sleep(warmed.cache_time.min(LONGEST_PAUSE)).await;
    };
    progress.end();
    entries.close();
    Ok(printed(&tally, &end, &options, next_line, &room))
}

fn printed(tally: &Tally, end: &End, options: &WarmOptions, next_line: u64, room: &Room) -> Printed {
    let Tally { rows, stored, present, invalid } = tally;
    let mut text = format!(
        "{}: {} stored, {} there already",
        plural(*rows, "row", "rows"),
        plural(*stored, "entry", "entries"),
        count(*present)
    );
    if *invalid > 0 {
        text += &format!("\n{}, skipped", plural(*invalid, "invalid row", "invalid rows"));
        if *invalid > MOST_TOLD as u64 {
            text += &format!(" (the first {MOST_TOLD} are listed above)");
        }
    }
    let stopped = match end {
        End::Done => None,
        End::Full(share) => {
            let of = if room.is_limited { "maxmemory" } else { "the machine's memory, since maxmemory is not set" };
            Some(format!("stopped: Redis has used {} of {of}, and --until is {}", percent(*share), options.until))
        }
        End::Interrupted => Some("interrupted".to_owned()),
        End::Fault(fault) => Some(format!("stopped by Redis: {fault}")),
    };
    if let Some(stopped) = stopped {
        text += &format!("\n{stopped}\nto resume: predict-once cache warm {} --from-line {next_line}", options.file);
        if let Some(tenant) = &options.tenant {
            text += &format!(" --tenant {tenant:?}");
        }
    }
    let status = match end {
        End::Interrupted => 130,
        End::Fault(_) => 1,
        End::Done | End::Full(_) => u8::from(*invalid > 0 && !options.skip_invalid),
    };
    Printed { text, status }
}
