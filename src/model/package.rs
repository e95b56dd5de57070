//! A model package, from the binary or from a directory.

use std::{
    borrow::Cow,
    fmt,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use model_package::{Files, GOLDEN, GRAPH, MANIFEST, Mistake, file_names};

/// The largest `model.toml`, in bytes: 8 MiB. Ten times as many would take a second to parse.
const MAX_MANIFEST: u64 = 8 << 20;
/// The largest `model.onnx`, in bytes: 1 GiB.
const MAX_GRAPH: u64 = 1 << 30;
/// The largest tokenizer or vectorizer, in bytes: 64 MiB.
const MAX_FILE: u64 = 64 << 20;
/// The largest `golden.jsonl`, in bytes: 64 MiB, for 1,000 rows of 64 KiB.
const MAX_GOLDEN: u64 = 64 << 20;

/// What the build embeds: `model.toml`, `model.onnx`, `golden.jsonl`, and the files that `model.toml` names.
type Embedded = (&'static str, &'static [u8], Option<&'static str>, &'static [(&'static str, &'static [u8])]);

/// The files of a model package.
#[derive(Clone, Debug)]
pub struct Package {
    pub(super) origin: Origin,
    /// `model.toml`
    pub manifest: ManifestFile,
    /// `model.onnx`
    pub onnx: Bytes,
    /// The files that `model.toml` names.
    pub files: Files,
    /// `golden.jsonl`, if present.
    pub golden: Option<Cow<'static, str>>,
}

/// `model.toml`, as text.
#[derive(Clone, Debug)]
pub enum ManifestFile {
    Written(String),
    /// The embedded manifest. The build checked it and also wrote it as JSON, which a cold start reads in a fraction of the time.
    Embedded {
        toml: &'static str,
        /// The same tables as in `toml`.
        json: &'static str,
    },
}

/// The source of a package, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Embedded,
    Directory(PathBuf),
}

/// The package cannot be served.
#[derive(Debug)]
pub struct PackageError {
    pub origin: Origin,
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

impl Package {
    /// The package embedded at build time: the shipped one, or the one in the directory `EMBED_MODEL_DIR`.
    pub fn embedded() -> Self {
        let (toml, onnx, golden, files): Embedded = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
        let json = include_str!(concat!(env!("OUT_DIR"), "/model.json"));
        Self {
            origin: Origin::Embedded,
            manifest: ManifestFile::Embedded { toml, json },
            onnx: Bytes::from_static(onnx),
            files: files.iter().map(|(name, file)| ((*name).to_owned(), Cow::Borrowed(*file))).collect(),
            golden: golden.map(Cow::Borrowed),
        }
    }

    /// Reads a package from a directory. Its files are regular ones, or links to such, and no larger than the limits that
    /// `docs/model-package.md` names.
    ///
    /// # Errors
    ///
    /// Lists all files that cannot be read.
    pub fn read(directory: &Path) -> Result<Self, PackageError> {
        let mut mistakes = Vec::new();
        let mut unreadable = |file, error: Unreadable, name: &str| {
            let problem = match error {
                Unreadable::Io(error) if error.kind() == io::ErrorKind::NotFound && directory.is_dir() => {
                    "is missing from the package".to_owned()
                }
                Unreadable::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                    format!("{} does not exist; is the directory correct?", directory.display())
                }
                error => format!("{} {error}", directory.join(name).display()),
            };
            mistakes.push(Mistake { file, entry: String::new(), problem });
        };
        let text = |file, limit| bytes(&directory.join(file), limit).and_then(text);
        let manifest = text(MANIFEST, MAX_MANIFEST).map_err(|error| unreadable(MANIFEST, error, MANIFEST));
        let onnx = bytes(&directory.join(GRAPH), MAX_GRAPH).map_err(|error| unreadable(GRAPH, error, GRAPH));
        let golden = match text(GOLDEN, MAX_GOLDEN) {
            Ok(text) => Some(text.into()),
            Err(Unreadable::Io(error)) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                unreadable(GOLDEN, error, GOLDEN);
                None
            }
        };
        let mut files = Files::new();
        for name in manifest.as_deref().map_or_else(|()| Vec::new(), file_names) {
            match bytes(&directory.join(&name), MAX_FILE) {
                Ok(file) => drop(files.insert(name, file.into())),
                // The field that names it reports it.
                Err(Unreadable::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => unreadable(MANIFEST, error, &name),
            }
        }
        let origin = Origin::Directory(directory.to_owned());
        match (manifest, onnx) {
            (Ok(manifest), Ok(onnx)) if mistakes.is_empty() => {
                Ok(Self { origin, manifest: ManifestFile::Written(manifest), onnx: onnx.into(), files, golden })
            }
            _ => Err(PackageError { origin, mistakes }),
        }
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// Shares the graph's bytes.
impl From<&Self> for Package {
    fn from(package: &Self) -> Self {
        package.clone()
    }
}

/// Why a file cannot be read; displays as a predicate about it.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is not a regular file: a package holds only files, or links to files")]
    NotAFile,
    /// With the limit in bytes.
    #[error("is too large: it may have at most {} MiB", .0 >> 20)]
    TooLarge(u64),
}

/// The contents of a regular file of at most `limit` bytes.
fn bytes(path: &Path, limit: u64) -> Result<Vec<u8>, Unreadable> {
    // Opening a FIFO would wait for a writer.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(Unreadable::NotAFile);
    }
    if metadata.len() > limit {
        return Err(Unreadable::TooLarge(limit));
    }
    let mut contents = Vec::with_capacity(metadata.len() as usize + 1);
    // The file may grow, and the size of a file of the kernel is unknown.
    File::open(path)?.take(limit + 1).read_to_end(&mut contents)?;
    if contents.len() as u64 > limit { Err(Unreadable::TooLarge(limit)) } else { Ok(contents) }
}

fn text(bytes: Vec<u8>) -> Result<String, Unreadable> {
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()).into())
}

impl ManifestFile {
    /// The text of `model.toml`.
    pub fn toml(&self) -> &str {
        match self {
            Self::Written(toml) => toml,
            Self::Embedded { toml, .. } => toml,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("the embedded model package"),
            Self::Directory(path) => path.display().fmt(f),
        }
    }
}

/// One line: the first mistake, and the number of the others.
impl fmt::Display for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, mistakes } = self;
        write!(f, "{origin}: ")?;
        if let Some(first) = mistakes.first() {
            first.fmt(f)?;
        }
        match (mistakes.len().saturating_sub(1), origin) {
            (0, _) => Ok(()),
            (others, Origin::Embedded) => write!(f, " ({others} more: `predict-once check` lists all)"),
            (others, Origin::Directory(path)) => {
                write!(f, " ({others} more: `predict-once check {}` lists all)", path.display())
            }
        }
    }
}

impl std::error::Error for PackageError {}
