//! The columns that scikit-learn's `TfidfVectorizer`, `CountVectorizer` and `HashingVectorizer` compute from a text.
//!
//! ```text
//! text ── analyzer ── terms ── vocabulary or hash ── counts ── weights ── norm ─► (column, value)
//! ```

mod analyzer;
mod murmur;
mod pattern;
mod python;

use std::collections::HashMap;

use foldhash::fast::FixedState;
use serde::Deserialize;

use self::{
    analyzer::{Analyzer, AnalyzerEntry},
    murmur::murmur3,
};

/// Why a vectorizer's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnsupportedVectorizer {
    #[error("is not a vectorizer's file: {0}")]
    Json(#[from] serde_json::Error),
    #[error("`token_pattern` {pattern:?} has {construct}, which is not supported")]
    Pattern { pattern: String, construct: String },
    #[error("`ngram_range` must be 1 to {max}, not {0} to {1}", max = analyzer::MAX_NGRAM)]
    NgramRange(usize, usize),
    #[error("`idf` has {idf} numbers for the {terms} terms of `vocabulary`")]
    Idf { idf: usize, terms: usize },
    #[error("`vocabulary` must have 1 to {MAX_COLUMNS} distinct terms")]
    Vocabulary,
    #[error("`sublinear_tf` with float32 is not supported: fit with dtype=float64")]
    Float32Logarithm,
    #[error("`union` must have 1 or more vectorizers, with at most {MAX_COLUMNS} columns together")]
    Union,
    #[error("`n_features` must be 1 to {MAX_COLUMNS}")]
    Features,
}

/// The maximum number of columns. Rows are sparse, so they take no more memory if there are many.
const MAX_COLUMNS: usize = 1 << 24;

/// The file of several vectorizers; other files have no such key.
#[derive(Debug, Deserialize)]
struct UnionFile {
    union: Option<Vec<File>>,
}

/// The file of a vectorizer: its parameters and what it has learned, under scikit-learn's names.
#[derive(Debug, Deserialize)]
struct File {
    analyzer: AnalyzerEntry,
    #[serde(flatten)]
    columns: ColumnsEntry,
    #[serde(default)]
    binary: bool,
    norm: Option<Norm>,
    #[serde(default)]
    dtype: DType,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ColumnsEntry {
    Hashed {
        n_features: usize,
        alternate_sign: bool,
    },
    Learned {
        /// In the order of the columns.
        vocabulary: Vec<Box<str>>,
        idf: Option<Vec<f64>>,
        #[serde(default)]
        sublinear_tf: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Norm {
    L1,
    L2,
}

/// The type of number that scikit-learn calculates with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DType {
    Float32,
    #[default]
    Float64,
}

impl DType {
    fn round(self, number: f64) -> f64 {
        match self {
            Self::Float32 => f64::from(number as f32),
            Self::Float64 => number,
        }
    }
}

/// A fitted vectorizer, or several whose columns lie side by side.
#[derive(Clone, Debug)]
pub struct Vectorizer {
    /// Each with its first column.
    members: Vec<(u32, Member)>,
    width: usize,
}

#[derive(Clone, Debug)]
struct Member {
    analyzer: Analyzer,
    columns: Columns,
    binary: bool,
    norm: Option<Norm>,
    dtype: DType,
}

#[derive(Clone, Debug)]
enum Columns {
    Hashed { count: u32, alternate_sign: bool },
    Learned { vocabulary: HashMap<Box<str>, u32, FixedState>, idf: Option<Vec<f64>>, sublinear_tf: bool },
}

impl Vectorizer {
    /// Reads a vectorizer's file.
    ///
    /// # Errors
    ///
    /// If the file is damaged, or has a parameter for which the columns would differ from scikit-learn's.
    pub fn new(json: &[u8]) -> Result<Self, UnsupportedVectorizer> {
        let files = match serde_json::from_slice(json)? {
            UnionFile { union: Some(files) } => files,
            UnionFile { union: None } => vec![serde_json::from_slice(json)?],
        };
        let mut members = Vec::with_capacity(files.len());
        let mut width = 0;
        for file in files {
            let member = Member::new(file)?;
            // At most MAX_COLUMNS.
            let first = width as u32;
            width += member.width();
            if width > MAX_COLUMNS {
                return Err(UnsupportedVectorizer::Union);
            }
            members.push((first, member));
        }
        if members.is_empty() { Err(UnsupportedVectorizer::Union) } else { Ok(Self { members, width }) }
    }

    /// The number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The columns of a text that are not zero, in ascending order, and their values.
    pub fn transform(&self, text: &str) -> Vec<(u32, f64)> {
        let mut values = Vec::new();
        for (first, member) in &self.members {
            values.extend(member.transform(text).into_iter().map(|(column, value)| (first + column, value)));
        }
        values
    }
}

impl Member {
    fn new(File { analyzer, columns, binary, norm, dtype }: File) -> Result<Self, UnsupportedVectorizer> {
        let columns = match columns {
            ColumnsEntry::Hashed { n_features, alternate_sign } => {
                if !(1..=MAX_COLUMNS).contains(&n_features) {
                    return Err(UnsupportedVectorizer::Features);
                }
                // At most MAX_COLUMNS.
                Columns::Hashed { count: n_features as u32, alternate_sign }
            }
            ColumnsEntry::Learned { vocabulary, idf, sublinear_tf } => {
                let terms = vocabulary.len();
                let vocabulary: HashMap<_, _, _> = vocabulary.into_iter().zip(0..).collect();
                if !(1..=MAX_COLUMNS).contains(&terms) || vocabulary.len() != terms {
                    return Err(UnsupportedVectorizer::Vocabulary);
                }
                if sublinear_tf && dtype == DType::Float32 {
                    return Err(UnsupportedVectorizer::Float32Logarithm);
                }
                match &idf {
                    Some(idf) if idf.len() != terms => {
                        return Err(UnsupportedVectorizer::Idf { idf: idf.len(), terms });
                    }
                    _ => {}
                }
                Columns::Learned { vocabulary, idf, sublinear_tf }
            }
        };
        Ok(Self { analyzer: Analyzer::new(analyzer)?, columns, binary, norm, dtype })
    }

    fn width(&self) -> usize {
        match &self.columns {
            Columns::Hashed { count, .. } => *count as usize,
            Columns::Learned { vocabulary, .. } => vocabulary.len(),
        }
    }

    fn transform(&self, text: &str) -> Vec<(u32, f64)> {
        let mut values = self.counts(text);
        if self.binary {
            values.iter_mut().for_each(|(_, value)| *value = 1.0);
        }
        if let Columns::Learned { idf, sublinear_tf, .. } = &self.columns {
            for (column, value) in &mut values {
                if *sublinear_tf {
                    *value = self.dtype.round(self.dtype.round(value.ln()) + 1.0);
                }
                if let Some(idf) = idf {
                    *value = self.dtype.round(*value * idf[*column as usize]);
                }
            }
        }
        let norm = match self.norm {
            None => 0.0,
            Some(Norm::L1) => values.iter().map(|(_, value)| value.abs()).sum(),
            Some(Norm::L2) => values.iter().map(|(_, value)| self.dtype.round(value * value)).sum::<f64>().sqrt(),
        };
        if norm != 0.0 {
            values.iter_mut().for_each(|(_, value)| *value = self.dtype.round(*value / norm));
        }
        values
    }

    fn counts(&self, text: &str) -> Vec<(u32, f64)> {
        let mut found: Vec<(u32, f64)> = Vec::new();
        match &self.columns {
            Columns::Hashed { count, alternate_sign } => self.analyzer.terms(text, |term| {
                let hash = murmur3(term.as_bytes()) as i32;
                let sign = if *alternate_sign && hash < 0 { -1.0 } else { 1.0 };
                found.push((hash.unsigned_abs() % count, sign));
            }),
            Columns::Learned { vocabulary, .. } => self.analyzer.terms(text, |term| {
                found.extend(vocabulary.get(term).map(|column| (*column, 1.0)));
            }),
        }
        found.sort_unstable_by_key(|(column, _)| *column);
        // Columns whose signs cancel stay: scikit-learn's `binary` makes them 1.
        found.dedup_by(|(column, value), (kept, sum)| {
            let is_same = column == kept;
            if is_same {
                *sum += *value;
            }
            is_same
        });
        found
    }
}
