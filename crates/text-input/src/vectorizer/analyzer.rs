//! scikit-learn's analyzers: a text's terms.

use serde::Deserialize;

use super::{
    UnsupportedVectorizer,
    pattern::Pattern,
    python::{is_space, strip_accents, strip_to_ascii},
};

/// The parameters that the three vectorizers share.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnalyzerEntry {
    #[serde(default)]
    analyzer: Unit,
    #[serde(default = "default_pattern")]
    token_pattern: String,
    #[serde(default = "one")]
    ngram_range: (usize, usize),
    #[serde(default = "yes")]
    lowercase: bool,
    strip_accents: Option<Accents>,
    #[serde(default)]
    stop_words: Vec<String>,
}

fn default_pattern() -> String {
    r"(?u)\b\w\w+\b".to_owned()
}

fn one() -> (usize, usize) {
    (1, 1)
}

fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Unit {
    #[default]
    Word,
    Char,
    CharWb,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Accents {
    Ascii,
    Unicode,
}

#[derive(Clone, Debug)]
pub(super) struct Analyzer {
    unit: Unit,
    pattern: Pattern,
    shortest: usize,
    longest: usize,
    lowercase: bool,
    strip_accents: Option<Accents>,
    /// Sorted.
    stop_words: Vec<String>,
}

impl Analyzer {
    pub(super) fn new(entry: AnalyzerEntry) -> Result<Self, UnsupportedVectorizer> {
        let AnalyzerEntry { analyzer, token_pattern, ngram_range, lowercase, strip_accents, mut stop_words } = entry;
        let (shortest, longest) = ngram_range;
        if shortest == 0 || shortest > longest || longest > MAX_NGRAM {
            return Err(UnsupportedVectorizer::NgramRange(shortest, longest));
        }
        stop_words.sort_unstable();
        let pattern = Pattern::new(&token_pattern)?;
        Ok(Self { unit: analyzer, pattern, shortest, longest, lowercase, strip_accents, stop_words })
    }

    /// Calls `term` with each occurrence of each term.
    pub(super) fn terms(&self, text: &str, mut term: impl FnMut(&str)) {
        let mut lowered;
        let mut text = text;
        if self.lowercase {
            lowered = text.to_lowercase();
            text = &lowered;
        }
        if let (Some(accents), false) = (self.strip_accents, text.is_ascii()) {
            lowered = match accents {
                Accents::Ascii => strip_to_ascii(text),
                Accents::Unicode => strip_accents(text),
            };
            text = &lowered;
        }
        match self.unit {
            Unit::Word => self.word_ngrams(text, term),
            Unit::Char => {
                let text = collapse(text);
                let ends = boundaries(&text);
                for length in self.shortest..=self.longest.min(ends.len() - 1) {
                    ends.iter().zip(&ends[length..]).for_each(|(start, end)| term(&text[*start..*end]));
                }
            }
            Unit::CharWb => {
                let mut padded = String::new();
                for word in text.split(is_space).filter(|word| !word.is_empty()) {
                    padded.clear();
                    padded.extend([" ", word, " "]);
                    let ends = boundaries(&padded);
                    for length in self.shortest..=self.longest {
                        // A word that is shorter than an n-gram counts once.
                        if length >= ends.len() - 1 {
                            term(&padded);
                            break;
                        }
                        ends.iter().zip(&ends[length..]).for_each(|(start, end)| term(&padded[*start..*end]));
                    }
                }
            }
        }
    }

    fn word_ngrams(&self, text: &str, mut term: impl FnMut(&str)) {
        let is_stop_word = |word: &str| self.stop_words.binary_search_by(|stop| stop.as_str().cmp(word)).is_ok();
        if (self.shortest, self.longest) == (1, 1) {
            return self.pattern.find(text, |word| {
                if !is_stop_word(word) {
                    term(word);
                }
            });
        }
        let mut words = Vec::new();
        self.pattern.find(text, |word| {
            if !is_stop_word(word) {
                words.push(word);
            }
        });
        let mut joined = String::new();
        for length in self.shortest..=self.longest.min(words.len()) {
            for ngram in words.windows(length) {
                joined.clear();
                for (position, word) in ngram.iter().enumerate() {
                    if position > 0 {
                        joined.push(' ');
                    }
                    joined.push_str(word);
                }
                term(&joined);
            }
        }
    }
}

/// The longest n-gram. The work on a text is proportional to it.
pub(super) const MAX_NGRAM: usize = 20;

/// `re.sub(r"\s\s+", " ", text)`
fn collapse(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let mut others = 0;
        while is_space(c) && characters.next_if(|c| is_space(*c)).is_some() {
            others += 1;
        }
        collapsed.push(if others > 0 { ' ' } else { c });
    }
    collapsed
}

/// Where each character begins, and where the text ends.
fn boundaries(text: &str) -> Vec<usize> {
    text.char_indices().map(|(start, _)| start).chain([text.len()]).collect()
}
