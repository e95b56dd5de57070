//! Where a model package comes from: the binary, or a directory.

use std::{
    borrow::Cow,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use model_package::{GOLDEN, GRAPH, MANIFEST, Mistake};

/// The files of a model package.
#[derive(Clone, Debug)]
pub struct Package {
    origin: Origin,
    /// `model.toml`
    pub manifest: ManifestFile,
    /// `model.onnx`
    pub onnx: Cow<'static, [u8]>,
    /// `golden.jsonl`, if there is one.
    pub golden: Option<Cow<'static, str>>,
}

/// `model.toml`, as text.
#[derive(Clone, Debug)]
pub enum ManifestFile {
    /// As it was written.
    Written(String),
    /// The embedded one. The build has checked it and also written it as JSON, which a cold start reads in a fraction of the
    /// time.
    Embedded {
        /// As it was written.
        toml: &'static str,
        /// The same tables.
        json: &'static str,
    },
}

/// Where a package comes from, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The binary.
    Embedded,
    /// A directory.
    Directory(PathBuf),
}

/// Why a package cannot be served: every mistake that was found.
#[derive(Debug)]
pub struct PackageError {
    /// Where the package comes from.
    pub origin: Origin,
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

impl Package {
    /// The package that the build embedded: the one that ships, or the one in the directory that `EMBED_MODEL_DIR` named.
    pub fn embedded() -> Self {
        let (toml, onnx, golden): (&str, &[u8], Option<&str>) = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
        let json = include_str!(concat!(env!("OUT_DIR"), "/model.json"));
        Self {
            origin: Origin::Embedded,
            manifest: ManifestFile::Embedded { toml, json },
            onnx: onnx.into(),
            golden: golden.map(Cow::Borrowed),
        }
    }

    /// Reads a package from a directory.
    ///
    /// # Errors
    ///
    /// Names each file that cannot be read.
    pub fn read(directory: &Path) -> Result<Self, PackageError> {
        let mut mistakes = Vec::new();
        let mut unreadable = |file, error: io::Error| {
            let path = directory.join(file);
            let problem = match error.kind() {
                io::ErrorKind::NotFound if directory.is_dir() => "is missing from the package".to_owned(),
                io::ErrorKind::NotFound => format!("{} does not exist; is the directory correct?", directory.display()),
                _ => format!("{} cannot be read: {error}", path.display()),
            };
            mistakes.push(Mistake { file, entry: String::new(), problem });
        };
        let manifest = fs::read_to_string(directory.join(MANIFEST)).map_err(|error| unreadable(MANIFEST, error));
        let onnx = fs::read(directory.join(GRAPH)).map_err(|error| unreadable(GRAPH, error));
        let golden = match fs::read_to_string(directory.join(GOLDEN)) {
            Ok(text) => Some(text.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                unreadable(GOLDEN, error);
                None
            }
        };
        let origin = Origin::Directory(directory.to_owned());
        match (manifest, onnx) {
            (Ok(manifest), Ok(onnx)) if mistakes.is_empty() => {
                Ok(Self { origin, manifest: ManifestFile::Written(manifest), onnx: onnx.into(), golden })
            }
            _ => Err(PackageError { origin, mistakes }),
        }
    }

    /// Where it comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
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

/// One line: the first mistake, and how many others there are.
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
