//! Parses the command line.

use lexopt::{
    Arg::{Long, Short, Value},
    Error, Parser, ValueExt,
};
use model_package::closest_match;
use prediction_cache::Tenant;

/// A tool and its options.
#[derive(Clone, Debug, PartialEq)]
pub enum Tool {
    Report {
        json: bool,
    },
    Inspect {
        /// The key in Redis.
        key: String,
        json: bool,
    },
    Warm(WarmOptions),
}

/// The options of `warm`.
#[derive(Clone, Debug, PartialEq)]
pub struct WarmOptions {
    /// The file of inputs; `-` is the standard input.
    pub file: String,
    /// The first line to read, counted from 1.
    pub from_line: u64,
    /// The share of its memory, from 0 to 1, at which `warm` stops.
    pub until: f64,
    /// Whether the exit status is 0 despite invalid rows.
    pub skip_invalid: bool,
    /// Whether to store existing entries again, with a new time to live.
    pub renew: bool,
    /// Whether to store the contributions of the fields, too.
    pub explain: bool,
    /// The id of the tenant to store the entries for.
    pub tenant: Option<String>,
}

/// A parsed command line.
#[derive(Clone, Debug, PartialEq)]
pub enum Invocation {
    Run(Tool),
    Help,
}

/// The text of `--help`.
pub const HELP: &str = "\
predict-once cache: inspect the service's Redis, and fill it ahead of requests

Usage:
  predict-once cache report [--json]       show the hit ratio, memory, entries and warnings
  predict-once cache inspect KEY [--json]  show one entry: its input, its answers, its time to live
  predict-once cache warm FILE [options]   compute and store every prediction for the inputs in FILE

All commands read the service's settings from the environment: REDIS_URL and others (docs/settings.md).
They never list all keys. Quote KEY in a shell if it contains `#` or `?`.

report
  Estimates the share of each kind of entry from a random sample of at most 4,000 keys. Takes about a second, to compare
  Redis's counters over that time.

inspect
  Exit status: 0 if the service would answer with this entry, 1 if not.

warm
  FILE is CSV with a header line of field names, or JSON lines with one input each; `-` is the standard input.
  Existing entries are skipped, so an interrupted run can simply be repeated. Redis is idle at least half of the time. Ctrl-C
  stops after the current batch.

  --from-line N    start at line N of FILE
  --until SHARE    stop when Redis has used this share of maxmemory (default 0.8); in a cluster, the fullest node counts
  --skip-invalid   exit with 0 despite invalid rows; they are always reported and skipped
  --renew          store existing entries again, with a new time to live
  --explain        store the contributions of the fields, too, which takes many times as long
  --tenant ID      store the entries for this tenant; required with CACHE_PER_TENANT=true

  Exit status: 0 if the file was finished or --until was reached, 1 after invalid rows or faults, 130 after Ctrl-C.
";

impl Tool {
    /// Parses the arguments that follow `predict-once cache`.
    ///
    /// # Errors
    ///
    /// Names the first mistake, in one line.
    pub fn parse(mut arguments: Parser) -> Result<Invocation, Error> {
        let Some(command) = arguments.next()? else {
            return Err("cache needs a command: report, inspect or warm".into());
        };
        let (mut json, mut operand) = (false, None);
        let (mut from_line, mut until) = (1, 0.8);
        let (mut skip_invalid, mut renew, mut explain, mut tenant) = (false, false, false, None);
        let command = match command {
            Long("help") | Short('h') => return Ok(Invocation::Help),
            Value(command) => command.string()?,
            option => return Err(option.unexpected()),
        };
        let is_warm = command == "warm";
        if !matches!(command.as_str(), "report" | "inspect" | "warm" | "help") {
            let hint = closest_match(&command, ["report", "inspect", "warm"].into_iter());
            let hint = hint.map_or_else(
                || ": expected report, inspect or warm".into(),
                |meant| format!("; did you mean {meant}?"),
            );
            return Err(format!("unknown command {command:?}{hint}").into());
        }
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(Invocation::Help),
                Long("json") if !is_warm => json = true,
                Long("skip-invalid") if is_warm => skip_invalid = true,
                Long("renew") if is_warm => renew = true,
                Long("explain") if is_warm => explain = true,
                Long("from-line") if is_warm => {
                    from_line = value(&mut arguments, "--from-line", "a line number, counted from 1", |text| {
                        text.parse().ok().filter(|line| *line >= 1)
                    })?;
                }
                Long("until") if is_warm => {
                    until = value(&mut arguments, "--until", "a number above 0 and at most 1", |text| {
                        text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0)
                    })?;
                }
                Long("tenant") if is_warm => {
                    tenant = Some(value(&mut arguments, "--tenant", "a tenant id", |text| {
                        Tenant::new(text).map(|_| text.to_owned())
                    })?);
                }
                Value(value) if command != "report" && operand.is_none() => operand = Some(value.string()?),
                extra => return Err(extra.unexpected()),
            }
        }
        let operand = |name| operand.ok_or_else(|| Error::from(format!("{name} is missing")));
        Ok(match command.as_str() {
            "report" => Invocation::Run(Self::Report { json }),
            "inspect" => Invocation::Run(Self::Inspect { key: operand("KEY")?, json }),
            "warm" => {
                let file = operand("FILE")?;
                Invocation::Run(Self::Warm(WarmOptions {
                    file,
                    from_line,
                    until,
                    skip_invalid,
                    renew,
                    explain,
                    tenant,
                }))
            }
            _ => Invocation::Help,
        })
    }
}

/// The value of an option, if `parse` accepts it.
pub(crate) fn value<T>(
    arguments: &mut Parser,
    name: &str,
    allowed: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, Error> {
    let text = arguments.value().ok().and_then(|text| text.into_string().ok());
    let value = text.as_deref().and_then(parse);
    value.ok_or_else(|| format!("{name} requires {allowed}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Invocation, Error> {
        Tool::parse(Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn the_order_of_options_does_not_matter() {
        let options = WarmOptions {
            file: "-".to_owned(),
            from_line: 7,
            until: 0.5,
            skip_invalid: true,
            renew: false,
            explain: true,
            tenant: Some("acme".to_owned()),
        };
        for line in [
            "warm - --from-line 7 --until 0.5 --skip-invalid --explain --tenant acme",
            "warm --explain --skip-invalid --tenant acme --until 0.5 --from-line 7 -",
        ] {
            assert_eq!(parse(line).expect(line), Invocation::Run(Tool::Warm(options.clone())), "{line}");
        }
        assert_eq!(parse("warm x --help").expect("help"), Invocation::Help);
    }

    #[test]
    fn a_mistake_is_named() {
        for (line, problem) in [
            ("", "needs a command"),
            ("list", "unknown command \"list\": expected report, inspect or warm"),
            ("inspetc KEY", "unknown command \"inspetc\"; did you mean inspect?"),
            ("inspect", "KEY is missing"),
            ("inspect a b", "unexpected argument \"b\""),
            ("report --jsn", "invalid option '--jsn'"),
            ("warm --until 1.1 f", "--until requires"),
            ("warm f --from-line", "--from-line requires"),
            ("warm --from-line 0 f", "a line number, counted from 1"),
            ("warm f --tenant {a}", "--tenant requires a tenant id"),
            ("warm", "FILE is missing"),
        ] {
            let error = parse(line).expect_err(line).to_string();
            assert!(error.contains(problem), "{line}: {error}");
        }
    }
}
