//! What the command line asks for.

use lexopt::{
    Arg::{Long, Short, Value},
    Error, Parser, ValueExt,
};
use prediction_cache::Tenant;

/// A tool and its options.
#[derive(Clone, Debug, PartialEq)]
pub enum Tool {
    /// `report`
    Report {
        /// For programs.
        json: bool,
    },
    /// `inspect`
    Inspect {
        /// The key in Redis.
        key: String,
        /// For programs.
        json: bool,
    },
    /// `warm`
    Warm(WarmOptions),
}

/// How to warm the cache.
#[derive(Clone, Debug, PartialEq)]
pub struct WarmOptions {
    /// The file of the inputs; `-` is the standard input.
    pub file: String,
    /// The first line to read, from 1.
    pub from_line: u64,
    /// At which share of its memory Redis is full enough.
    pub until: f64,
    /// Whether invalid rows are no failure.
    pub skip_invalid: bool,
    /// Whether to store what is there already, with a new time to live.
    pub renew: bool,
    /// The id of the tenant whose entries they become.
    pub tenant: Option<String>,
}

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// To run a tool.
    Run(Tool),
    /// To explain the tools.
    Help,
}

/// The text of `--help`.
pub const HELP: &str = "\
predict-once cache: look into the Redis that the service uses, and fill it ahead of requests

Usage:
  predict-once cache report [--json]       how well Redis does: hit ratio, memory, entries, warnings
  predict-once cache inspect KEY [--json]  show an entry: its fields by name, its answers, its time to live
  predict-once cache warm FILE [options]   compute and store every prediction for the inputs in FILE

They use the service's settings from the environment: REDIS_URL and others (docs/settings.md).
They never list all keys. KEY must be quoted in a shell if it holds `#` or `?`.

report
  The share of each kind of entry is estimated from a random sample of at most 4,000 keys. It takes about a second, since it
  compares Redis's counters over one.

inspect
  Exit status 0 if the service would answer with this entry, 1 if not.

warm
  FILE is CSV, with the names of the fields in the first line, or JSON lines with one input each; `-` is the standard input.
  Entries that are there already are skipped, so an interrupted run can simply be repeated. Redis is idle at least half of the
  time. Ctrl-C ends after the current batch.

  --from-line N    start at line N of FILE
  --until SHARE    stop when Redis has used this share of maxmemory (default 0.8); in a cluster, the fullest node
  --skip-invalid   exit with 0 even if there are invalid rows; they are reported and skipped in any case
  --renew          store entries that are there already again, with a new time to live
  --tenant ID      whose entries they become; needed with CACHE_PER_TENANT=true

  Exit status 0 if all is done or Redis is as full as allowed, 1 if there were invalid rows or faults, 130 after Ctrl-C.
";

impl Tool {
    /// Reads the arguments behind `predict-once cache`.
    ///
    /// # Errors
    ///
    /// Names the first mistake, in one line.
    pub fn parse(mut arguments: Parser) -> Result<Asked, Error> {
        let Some(command) = arguments.next()? else {
            return Err("cache needs a command: report, inspect or warm".into());
        };
        let (mut json, mut operand) = (false, None);
        let (mut from_line, mut until) = (1, 0.8);
        let (mut skip_invalid, mut renew, mut tenant) = (false, false, None);
        let command = match command {
            Long("help") | Short('h') => return Ok(Asked::Help),
            Value(command) => command.string()?,
            option => return Err(option.unexpected()),
        };
        let is_warm = command == "warm";
        if !matches!(command.as_str(), "report" | "inspect" | "warm" | "help") {
            return Err(format!("cache has no command {command:?}: it has report, inspect and warm").into());
        }
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(Asked::Help),
                Long("json") if !is_warm => json = true,
                Long("skip-invalid") if is_warm => skip_invalid = true,
                Long("renew") if is_warm => renew = true,
                Long("from-line") if is_warm => {
                    from_line = value(&mut arguments, "--from-line", "a line number from 1", |text| {
                        text.parse().ok().filter(|line| *line >= 1)
                    })?;
                }
                Long("until") if is_warm => {
                    until = value(&mut arguments, "--until", "a share above 0, up to 1", |text| {
                        text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0)
                    })?;
                }
                Long("tenant") if is_warm => {
                    tenant = Some(value(&mut arguments, "--tenant", "the id of a tenant", |text| {
                        Tenant::new(text).map(|_| text.to_owned())
                    })?);
                }
                Value(value) if command != "report" && operand.is_none() => operand = Some(value.string()?),
                extra => return Err(extra.unexpected()),
            }
        }
        let operand = |name| operand.ok_or_else(|| Error::from(format!("{name} is missing")));
        Ok(match command.as_str() {
            "report" => Asked::Run(Self::Report { json }),
            "inspect" => Asked::Run(Self::Inspect { key: operand("KEY")?, json }),
            "warm" => {
                let file = operand("FILE")?;
                Asked::Run(Self::Warm(WarmOptions { file, from_line, until, skip_invalid, renew, tenant }))
            }
            _ => Asked::Help,
        })
    }
}

/// The value of an option, if `read` accepts it.
fn value<T>(arguments: &mut Parser, name: &str, allowed: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, Error> {
    let text = arguments.value().ok().and_then(|text| text.into_string().ok());
    let value = text.as_deref().and_then(read);
    value.ok_or_else(|| format!("{name} must be followed by {allowed}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Asked, Error> {
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
            tenant: Some("acme".to_owned()),
        };
        for line in [
            "warm - --from-line 7 --until 0.5 --skip-invalid --tenant acme",
            "warm --skip-invalid --tenant acme --until 0.5 --from-line 7 -",
        ] {
            assert_eq!(parse(line).expect(line), Asked::Run(Tool::Warm(options.clone())), "{line}");
        }
        assert_eq!(parse("warm x --help").expect("help"), Asked::Help);
    }

    #[test]
    fn a_mistake_is_named() {
        for (line, problem) in [
            ("", "needs a command"),
            ("list", "no command \"list\""),
            ("inspect", "KEY is missing"),
            ("inspect a b", "unexpected argument \"b\""),
            ("report --jsn", "invalid option '--jsn'"),
            ("warm --until 1.1 f", "--until must be followed by"),
            ("warm f --from-line", "--from-line must be followed by"),
            ("warm --from-line 0 f", "a line number from 1"),
            ("warm f --tenant {a}", "--tenant must be followed by the id of a tenant"),
            ("warm", "FILE is missing"),
        ] {
            let refused = parse(line).expect_err(line).to_string();
            assert!(refused.contains(problem), "{line}: {refused}");
        }
    }
}
