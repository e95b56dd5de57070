//! What the command line asks for.

use crate::cache::Tenant;

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
    /// Reads what follows `predict-once cache`.
    ///
    /// # Errors
    ///
    /// Says what is wrong, in one line.
    pub fn parse(arguments: &[&str]) -> Result<Asked, String> {
        if arguments.iter().any(|argument| matches!(*argument, "--help" | "-h")) || arguments == ["help"] {
            return Ok(Asked::Help);
        }
        let Some((tool, rest)) = arguments.split_first() else {
            return Err("cache needs a command: report, inspect or warm".to_owned());
        };
        let mut words = Words { rest: rest.to_vec() };
        let tool = match *tool {
            "report" => Self::Report { json: words.flag("--json") },
            "inspect" => Self::Inspect { json: words.flag("--json"), key: words.operand("KEY")? },
            "warm" => Self::Warm(WarmOptions {
                from_line: words.value("--from-line", 1, |line| *line >= 1, "a line number from 1")?,
                until: words.value(
                    "--until",
                    0.8,
                    |share| *share > 0.0 && *share <= 1.0,
                    "a share above 0, up to 1",
                )?,
                tenant: words.tenant("--tenant")?,
                skip_invalid: words.flag("--skip-invalid"),
                renew: words.flag("--renew"),
                file: words.operand("FILE")?,
            }),
            other => return Err(format!("cache has no command {other:?}: it has report, inspect and warm")),
        };
        match words.rest.first() {
            None => Ok(Asked::Run(tool)),
            Some(extra) => Err(format!("unexpected argument {extra:?}")),
        }
    }
}

/// What has not been read yet.
struct Words<'a> {
    rest: Vec<&'a str>,
}

impl Words<'_> {
    fn flag(&mut self, name: &str) -> bool {
        let before = self.rest.len();
        self.rest.retain(|word| *word != name);
        self.rest.len() < before
    }

    fn value<T: std::str::FromStr>(
        &mut self,
        name: &str,
        default: T,
        allowed: impl Fn(&T) -> bool,
        what: &str,
    ) -> Result<T, String> {
        let Some(position) = self.rest.iter().position(|word| *word == name) else { return Ok(default) };
        let value = self.rest.get(position + 1).and_then(|value| value.parse().ok()).filter(allowed);
        let value = value.ok_or_else(|| format!("{name} must be followed by {what}"))?;
        self.rest.drain(position..position + 2);
        Ok(value)
    }

    fn tenant(&mut self, name: &str) -> Result<Option<String>, String> {
        let id = self.value(name, String::new(), |id: &String| Tenant::new(id).is_some(), "the id of a tenant")?;
        Ok(Some(id).filter(|id| !id.is_empty()))
    }

    fn operand(&mut self, name: &str) -> Result<String, String> {
        let position = self.rest.iter().position(|word| *word == "-" || !word.starts_with('-'));
        position.map(|position| self.rest.remove(position).to_owned()).ok_or_else(|| format!("{name} is missing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let words: Vec<_> = line.split(' ').collect();
            assert_eq!(Tool::parse(&words), Ok(Asked::Run(Tool::Warm(options.clone()))), "{line}");
        }
        assert_eq!(Tool::parse(&["warm", "x", "--help"]), Ok(Asked::Help));
    }

    #[test]
    fn a_mistake_is_named() {
        for (line, problem) in [
            ("", "needs a command"),
            ("list", "no command \"list\""),
            ("inspect", "KEY is missing"),
            ("inspect a b", "unexpected argument \"b\""),
            ("report --jsn", "unexpected argument \"--jsn\""),
            ("warm --until 1.1 f", "--until must be followed by"),
            ("warm f --from-line", "--from-line must be followed by"),
            ("warm --from-line 0 f", "a line number from 1"),
            ("warm f --tenant {a}", "--tenant must be followed by the id of a tenant"),
            ("warm", "FILE is missing"),
        ] {
            let words: Vec<_> = line.split_whitespace().collect();
            let refused = Tool::parse(&words).expect_err(line);
            assert!(refused.contains(problem), "{line}: {refused}");
        }
    }
}
