//! The report, as text and as JSON.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{Service, break_even_hit_ratio};
use crate::format::{bytes, count, duration, percent, plural, row};

#[derive(Debug, Serialize)]
pub(super) struct GainReport {
    model: String,
    fingerprint: String,
    /// The median run of the model.
    pub(super) run_ms: f64,
    pub(super) lookups: LookupTimes,
    /// The hit ratio at which a lookup in Redis takes as long as it saves; above 1, it never does.
    redis_break_even_hit_ratio: f64,
    /// `None` without a file of requests.
    pub(super) requests: Option<RequestsReport>,
    per_month: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct LookupTimes {
    /// Measured.
    pub(super) memory_ms: f64,
    pub(super) redis: RedisLookup,
}

#[derive(Debug, Serialize)]
pub(super) struct RedisLookup {
    pub(super) ms: f64,
    /// How it is known.
    pub(super) basis: String,
}

#[derive(Debug, Serialize)]
pub(super) struct RequestsReport {
    pub(super) valid: u64,
    pub(super) invalid: u64,
    pub(super) distinct: u64,
    /// The share of requests whose input was asked for before, which is the hit ratio without evictions.
    pub(super) repeated: f64,
    /// Caches in memory, from small to unlimited.
    pub(super) memory: Vec<Size>,
    /// Every request looks up in a Redis that has room for all.
    pub(super) redis: Saving,
}

#[derive(Debug, Serialize)]
pub(super) struct Size {
    pub(super) entries: usize,
    /// Their memory.
    pub(super) bytes: u64,
    pub(super) hit_ratio: f64,
    pub(super) saved: Saving,
}

/// What a cache saves; negative where computing is faster.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Saving {
    ms_per_request: f64,
    seconds_per_month: f64,
    /// `None` without `COST_PER_GB_SECOND`.
    money_per_month: Option<f64>,
}

impl Saving {
    pub(super) fn new(ms_per_request: f64, per_month: u64, cost_per_gb_second: Option<f64>, gigabytes: f64) -> Self {
        let seconds_per_month = ms_per_request / 1e3 * per_month as f64;
        let money_per_month = cost_per_gb_second.map(|cost| cost * gigabytes * seconds_per_month);
        Self { ms_per_request, seconds_per_month, money_per_month }
    }
}

impl GainReport {
    pub(super) fn new(
        service: &Service,
        run_ms: f64,
        lookups: LookupTimes,
        requests: Option<RequestsReport>,
        per_month: u64,
    ) -> Self {
        Self {
            model: service.model.signature().name.clone(),
            fingerprint: service.model.fingerprint(service.content).to_owned(),
            run_ms,
            redis_break_even_hit_ratio: break_even_hit_ratio(run_ms, lookups.redis.ms),
            lookups,
            requests,
            per_month,
        }
    }
}

impl fmt::Display for GainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, fingerprint, run_ms, lookups, redis_break_even_hit_ratio, requests, per_month } = self;
        row(f, "model", format!("{model}, fingerprint {fingerprint}"))?;
        row(f, "a run takes", format!("{} (median)", time(*run_ms)))?;
        row(f, "a lookup takes", format!("{} in memory", time(lookups.memory_ms)))?;
        row(f, "", format!("{} in Redis ({})", time(lookups.redis.ms), lookups.redis.basis))?;
        let pays = match *redis_break_even_hit_ratio {
            ratio if ratio < 1.0 => format!("where more than {} of the requests are hits", percent(ratio)),
            _ => "at no hit ratio: a lookup takes longer than a run".to_owned(),
        };
        row(f, "Redis pays", pays)?;
        let Some(requests) = requests else {
            return row(f, "requests", "--requests FILE says how many would be hits");
        };
        let invalid = match requests.invalid {
            0 => String::new(),
            invalid => format!(" ({} skipped)", plural(invalid, "invalid one", "invalid ones")),
        };
        row(f, "requests", format!("{}{invalid}", count(requests.valid)))?;
        row(f, "distinct inputs", count(requests.distinct))?;
        row(
            f,
            "repeated",
            format!("{} of the requests ask for an input that came before", percent(requests.repeated)),
        )?;
        writeln!(f)?;
        let month = format!("per month of {}", plural(*per_month, "request", "requests"));
        writeln!(f, "{:<28} {:>10} {:>10} {:>16}   {month}", "cache", "memory", "hit ratio", "saved / request")?;
        for Size { entries, bytes: size, hit_ratio, saved } in &requests.memory {
            let name = format!("memory, {}", plural(*entries as u64, "entry", "entries"));
            write_row(f, &name, &bytes(*size), *hit_ratio, saved)?;
        }
        write_row(f, "Redis, all of them", "", requests.repeated, &requests.redis)
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, name: &str, size: &str, hit_ratio: f64, saved: &Saving) -> fmt::Result {
    let month = signed(saved.seconds_per_month, |seconds| match seconds {
        _ if seconds < 10.0 => format!("{seconds:.1} seconds"),
        _ => duration(Duration::from_secs_f64(seconds)),
    });
    let money = saved.money_per_month.map(|money| format!(", {} in money", significant(money))).unwrap_or_default();
    let each = signed(saved.ms_per_request, time);
    writeln!(f, "{name:<28} {size:>10} {:>10} {each:>16}   {month}{money}", percent(hit_ratio))
}

/// A number with at least two significant digits.
fn significant(number: f64) -> String {
    let decimals = (1.0 - number.abs().max(1e-12).log10().floor()).clamp(2.0, 9.0) as usize;
    format!("{number:.decimals$}")
}

fn signed(number: f64, format: impl Fn(f64) -> String) -> String {
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{}", format(number.abs()))
}

/// Milliseconds with two significant digits or more, in the unit that suits.
fn time(ms: f64) -> String {
    match ms {
        _ if ms >= 100.0 => format!("{ms:.0} ms"),
        _ if ms >= 1.0 => format!("{ms:.1} ms"),
        _ if ms >= 0.1 => format!("{ms:.2} ms"),
        _ if ms >= 0.01 => format!("{:.0} µs", ms * 1e3),
        _ => format!("{:.1} µs", ms * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_keep_two_significant_digits() {
        let found = [12.347, -0.5, 0.0123, 0.000_456, 1234.5].map(significant);
        assert_eq!(found, ["12.35", "-0.50", "0.012", "0.00046", "1234.50"].map(str::to_owned));
        assert_eq!(
            [123.0, 12.34, 0.123, 0.0456, 0.00123].map(time),
            ["123 ms", "12.3 ms", "0.12 ms", "46 µs", "1.2 µs"]
        );
        assert_eq!(signed(-0.5, time), "-0.50 ms");
    }
}
