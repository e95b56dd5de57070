//! A model package, from the binary or from a directory.

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
    /// Lists all files that cannot be read.
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
