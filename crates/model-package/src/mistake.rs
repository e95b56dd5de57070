//! Mistakes in a package, reported to its author.

use std::fmt;

/// Describes the API.
pub const MANIFEST: &str = "model.toml";
/// Holds the graph.
pub const GRAPH: &str = "model.onnx";
/// Holds inputs and their expected answers.
pub const GOLDEN: &str = "golden.jsonl";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub file: &'static str,
    /// The entry within the file: `field "age"`, `line 12`. Empty if the mistake concerns the whole file.
    pub entry: String,
    /// The problem and its remedy.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, entry, problem } = self;
        // One line per mistake, although a library's message or a name in the file may contain line breaks.
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        match entry.as_str() {
            "" => write!(f, "{file}: {}", one_line(problem)),
            entry => write!(f, "{file}: {}: {}", one_line(entry), one_line(problem)),
        }
    }
}

/// Collects the mistakes of one entry of `model.toml`.
pub(crate) struct Entry<'a> {
    name: String,
    mistakes: &'a mut Vec<Mistake>,
    /// The number of mistakes in earlier entries.
    earlier: usize,
}

impl<'a> Entry<'a> {
    pub(crate) fn new(name: impl Into<String>, mistakes: &'a mut Vec<Mistake>) -> Self {
        Self { name: name.into(), earlier: mistakes.len(), mistakes }
    }

    pub(crate) fn mistake(&mut self, problem: impl fmt::Display) {
        self.mistakes.push(Mistake { file: MANIFEST, entry: self.name.clone(), problem: problem.to_string() });
    }

    /// Adds a mistake unless `holds`. Takes `problem` unformatted, because nearly all checks pass.
    pub(crate) fn require(&mut self, holds: bool, problem: impl fmt::Display) {
        if !holds {
            self.mistake(problem);
        }
    }

    pub(crate) fn has_no_mistakes(&self) -> bool {
        self.mistakes.len() == self.earlier
    }
}
