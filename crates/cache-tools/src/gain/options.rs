//! Parses the command line of `predict-once gain`.

use lexopt::{
    Arg::{Long, Short, Value},
    Error, Parser, ValueExt,
};

use crate::arguments::value;

/// Requests a month, if the command line does not say.
const PER_MONTH: u64 = 1_000_000;

/// A parsed command line.
#[derive(Clone, Debug, PartialEq)]
pub struct GainOptions {
    /// The directory of the model package; `None`: the one that the service would serve.
    pub directory: Option<String>,
    /// The file of requests; `-` is the standard input.
    pub requests: Option<String>,
    /// Where to write the plot.
    pub svg: Option<String>,
    /// The time of a lookup in Redis, in milliseconds.
    pub lookup_ms: Option<f64>,
    /// The number of requests per month.
    pub per_month: u64,
    pub json: bool,
}

/// The text of `--help`.
pub const HELP: &str = "\
predict-once gain: what a cache would bring for a model, before you deploy one

Usage:
  predict-once gain [DIR] [options]

DIR is the directory of a model package. The default is MODEL_DIR, or the package embedded in the binary.

  --requests FILE  inputs as they were asked for, in their order: JSON lines, or CSV with a header line; `-` is the standard input
  --svg FILE       write the break-even plot: run time and lookup time of this model, and where a cache pays
  --lookup-ms MS   the time of a lookup in Redis; by default it is measured if REDIS_URL is set, and assumed to be 0.3 ms if not
  --per-month N    the number of requests per month (default 1,000,000)
  --json           print the report as JSON

With COST_PER_GB_SECOND, the savings are also given in money, for the memory that this process may use, or 1 GB.
The report never shows inputs. Nothing is stored in Redis.
";

impl GainOptions {
    /// Parses the arguments that follow `predict-once gain`. `None` asks for help.
    ///
    /// # Errors
    ///
    /// Names the first mistake, in one line.
    pub fn parse(mut arguments: Parser) -> Result<Option<Self>, Error> {
        let mut options =
            Self { directory: None, requests: None, svg: None, lookup_ms: None, per_month: PER_MONTH, json: false };
        while let Some(argument) = arguments.next()? {
            let file = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            match argument {
                Long("help") | Short('h') => return Ok(None),
                Long("json") => options.json = true,
                Long("requests") => options.requests = Some(value(&mut arguments, "--requests", "a file", file)?),
                Long("svg") => options.svg = Some(value(&mut arguments, "--svg", "a file", file)?),
                Long("lookup-ms") => {
                    let ms = value(&mut arguments, "--lookup-ms", "a number above 0", |text| {
                        text.parse().ok().filter(|ms: &f64| ms.is_finite() && *ms > 0.0)
                    })?;
                    options.lookup_ms = Some(ms);
                }
                Long("per-month") => {
                    options.per_month =
                        value(&mut arguments, "--per-month", "a number of requests, at least 1", |text| {
                            text.parse().ok().filter(|number| *number >= 1)
                        })?;
                }
                Value(directory) if options.directory.is_none() => options.directory = Some(directory.string()?),
                extra => return Err(extra.unexpected()),
            }
        }
        Ok(Some(options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<GainOptions>, Error> {
        GainOptions::parse(Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn options_and_the_directory_may_come_in_any_order() {
        let expected = GainOptions {
            directory: Some("models/mine".to_owned()),
            requests: Some("-".to_owned()),
            svg: None,
            lookup_ms: Some(0.5),
            per_month: 7,
            json: true,
        };
        for line in [
            "models/mine --requests - --lookup-ms 0.5 --per-month 7 --json",
            "--json --per-month 7 --lookup-ms 0.5 --requests - models/mine",
        ] {
            assert_eq!(parse(line).expect(line), Some(expected.clone()));
        }
        assert_eq!(parse("models/mine --help").expect("help"), None);
    }

    #[test]
    fn a_mistake_is_named() {
        for (line, problem) in [
            ("a b", "unexpected argument \"b\""),
            ("--requests", "--requests requires a file"),
            ("--lookup-ms 0", "--lookup-ms requires a number above 0"),
            ("--lookup-ms NaN", "--lookup-ms requires a number above 0"),
            ("--per-month 0", "--per-month requires a number of requests"),
            ("--plot x", "invalid option '--plot'"),
        ] {
            let error = parse(line).expect_err(line).to_string();
            assert!(error.contains(problem), "{line}: {error}");
        }
    }
}
