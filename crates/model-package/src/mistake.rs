//! What is wrong with a package, for the person who wrote it.

use std::fmt;

/// The file of a package that describes the API.
pub const MANIFEST: &str = "model.toml";
/// The file of a package that holds the graph.
pub const GRAPH: &str = "model.onnx";
/// The file of a package that holds inputs and their answers.
pub const GOLDEN: &str = "golden.jsonl";

/// One mistake: where it is, what it is, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file within the package.
    pub file: &'static str,
    /// The entry within the file: `field "age"`, `line 12`. Empty if the mistake is the whole file's.
    pub entry: String,
    /// What is wrong, and how to correct it.
    pub problem: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, entry, problem } = self;
        // A mistake is one line, even if a library's message or a name in the file has several.
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        match entry.as_str() {
            "" => write!(f, "{file}: {}", one_line(problem)),
            entry => write!(f, "{file}: {}: {}", one_line(entry), one_line(problem)),
        }
    }
}

/// The mistakes of one entry of `model.toml`, as they are found.
pub(crate) struct Entry<'a> {
    name: String,
    mistakes: &'a mut Vec<Mistake>,
    /// How many there were before this entry.
    before: usize,
}

impl<'a> Entry<'a> {
    pub(crate) fn new(name: impl Into<String>, mistakes: &'a mut Vec<Mistake>) -> Self {
        Self { name: name.into(), before: mistakes.len(), mistakes }
    }

    /// Notes a mistake.
    pub(crate) fn mistake(&mut self, problem: impl fmt::Display) {
        self.mistakes.push(Mistake { file: MANIFEST, entry: self.name.clone(), problem: problem.to_string() });
    }

    /// Notes a mistake unless `holds`. Nearly all hold, so the problem is written out only where it does not.
    pub(crate) fn require(&mut self, holds: bool, problem: impl fmt::Display) {
        if !holds {
            self.mistake(problem);
        }
    }

    /// Whether no mistake has been found in this entry.
    pub(crate) fn is_right(&self) -> bool {
        self.mistakes.len() == self.before
    }
}
