//! `predict-once cache warm`: computes predictions ahead of requests, in batches.
//!
//! ```text
//! rows (on their own thread) ─► batch ─► memory left? ─► look up, compute, store ─► pause as long as Redis took
//! ```
//!
//! One batch of few commands is in flight at a time, so that Redis can serve the service in between.

mod entries;
mod memory;
mod progress;

use std::{sync::Arc, time::Duration};

use prediction_cache::{Fault, Tenant};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use self::{entries::Entries, memory::MemoryWatch, progress::Progress};
use super::{
    Target, ToolError, ToolOutput, WarmOptions,
    format::{count, percent, plural},
    rows::Rows,
};

/// The largest number of entries in a batch.
const BATCH: usize = 300;

/// The longest pause between two batches.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The number of invalid rows that are listed; further ones are only counted.
const MAX_LISTED: usize = 20;

/// Running totals.
#[derive(Debug, Default)]
struct Counts {
    rows: u64,
    stored: u64,
    present: u64,
    invalid: u64,
}

/// Why the run ended.
enum StopReason {
    Finished,
    Full(f64),
    Interrupted,
    Fault(Fault),
}

pub(super) async fn run(target: Target, options: WarmOptions) -> Result<ToolOutput, ToolError> {
    match (target.per_tenant, &options.tenant) {
        (true, None) => return Err(ToolError::NoTenant),
        (false, Some(_)) => return Err(ToolError::NotPerTenant),
        _ => {}
    }
    if options.explain && target.model.signature().contributions().is_none() {
        return Err(ToolError::NoContributions);
    }
    let tenant = options.tenant.as_deref().and_then(Tenant::new);
    let mut memory = MemoryWatch::start(&target.redis, options.until).await?;
    let entries = Entries::new(&target, tenant.as_ref(), &options).map_err(|fault| target.unreachable(fault))?;
    let rows_per_batch = (BATCH / entries.per_input()).max(1);
    let mut rows = Rows::open(&options.file, options.from_line, rows_per_batch, Arc::clone(&target.model))?;
    let mut progress = Progress::new(rows.size);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut counts = Counts::default();
    let mut next_line = options.from_line;
    let reason = loop {
        let batch = tokio::select! {
            biased;
            _ = interrupt.recv() => break StopReason::Interrupted,
            batch = rows.next() => batch,
        };
        let Some(batch) = batch else { break StopReason::Finished };
        let batch = batch?;
        match memory.fullness().await {
            Ok(share) if share >= options.until => break StopReason::Full(share),
            Ok(_) => {}
            Err(fault) => break StopReason::Fault(fault),
        }
        let result = match entries.store(&batch.inputs).await {
            Ok(result) => result,
            Err(fault) => break StopReason::Fault(fault),
        };
        counts.rows += batch.rows;
        counts.stored += result.stored as u64;
        counts.present += result.present as u64;
        let line = |position: &usize| batch.lines[*position];
        let failed = result.failed.iter().map(|input| format!("line {}: the model failed", line(input)));
        let blocked =
            result.blocked.iter().map(|input| format!("line {}: its key holds another type of value", line(input)));
        for problem in batch.problems.iter().cloned().chain(failed).chain(blocked) {
            counts.invalid += 1;
            if counts.invalid <= MAX_LISTED as u64 {
                progress.print_line(&problem);
            }
        }
        next_line = batch.next_line;
        progress.show(&counts, batch.bytes_read);
        sleep(result.cache_time.min(LONGEST_PAUSE)).await;
    };
    progress.end();
    entries.close();
    Ok(summary(&counts, &reason, &options, next_line, &memory))
}

fn summary(
    counts: &Counts,
    reason: &StopReason,
    options: &WarmOptions,
    next_line: u64,
    memory: &MemoryWatch,
) -> ToolOutput {
    let Counts { rows, stored, present, invalid } = counts;
    let mut text = format!(
        "{}: {} stored, {} already present",
        plural(*rows, "row", "rows"),
        plural(*stored, "entry", "entries"),
        count(*present)
    );
    if *invalid > 0 {
        text += &format!("\n{}, skipped", plural(*invalid, "invalid row", "invalid rows"));
        if *invalid > MAX_LISTED as u64 {
            text += &format!(" (the first {MAX_LISTED} are listed above)");
        }
    }
    let stopped = match reason {
        StopReason::Finished => None,
        StopReason::Full(share) => {
            let of = if memory.is_limited { "maxmemory" } else { "the machine's memory (maxmemory is not set)" };
            Some(format!("stopped: Redis has used {} of {of}; the limit is --until {}", percent(*share), options.until))
        }
        StopReason::Interrupted => Some("interrupted".to_owned()),
        StopReason::Fault(fault) => Some(format!("stopped by a Redis fault: {fault}")),
    };
    if let Some(stopped) = stopped {
        text += &format!("\n{stopped}\nto resume: predict-once cache warm {} --from-line {next_line}", options.file);
        if options.explain {
            text += " --explain";
        }
        if let Some(tenant) = &options.tenant {
            text += &format!(" --tenant {tenant:?}");
        }
    }
    let status = match reason {
        StopReason::Interrupted => 130,
        StopReason::Fault(_) => 1,
        StopReason::Finished | StopReason::Full(_) => u8::from(*invalid > 0 && !options.skip_invalid),
    };
    ToolOutput { text, status }
}
