//! `MODEL_URI`: fetches a model package from S3 before the service starts.

use std::{
    fs::{self, DirBuilder},
    io::{self, Read},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};

use aws_client::{Client, Error, Request};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use model_package::MANIFEST;
use sha2::{Digest, Sha256};
use tar::{Archive, EntryType};
use tokio::time::{Instant, sleep};

use crate::settings::Remote;

/// The deadline for fetching, including retries.
const DEADLINE: Duration = Duration::from_secs(60);
/// The pause before a retry.
const PAUSE: Duration = Duration::from_secs(1);
/// The limit of the archive's size, and of its unpacked size, in bytes: 2 GiB.
const MAX_BYTES: u64 = 2 << 30;
/// The file beside a kept package that has its entity tag.
const TAG: &str = ".etag";

/// The object cannot be fetched, or is not a package.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{0}")]
    Unavailable(#[from] Error),
    #[error(
        "S3 answered {0}: is the object in the bucket and the bucket in this region, and may this role read it (`s3:GetObject`)?"
    )]
    Refused(StatusCode),
    #[error("the object is not what was uploaded: its SHA-256 differs from S3's checksum")]
    Corrupt,
    #[error("cannot unpack the archive: {0}")]
    Archive(io::Error),
    #[error("the archive has no {MANIFEST}, neither at its top nor in its only folder")]
    NoPackage,
}

/// A directory with a package. Removed on drop, unless it is kept for the next start.
pub struct Fetched {
    directory: PathBuf,
    is_kept: bool,
    package: PathBuf,
}

impl Fetched {
    /// The directory of the package.
    pub fn package(&self) -> &Path {
        &self.package
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// Fetches and unpacks a package. With `keep`, the package stays in the directory for temporary files, and is fetched again only if the
/// object has changed. `keep` is for Lambda, where only this function's environment can write there; on a shared machine, another user
/// could have planted the directory.
///
/// # Errors
///
/// If there is no answer within a minute, or the object is not a package.
pub async fn fetch(remote: &Remote, keep: bool) -> Result<Fetched, FetchError> {
    let id = if keep { hex::encode(Sha256::digest(&remote.uri)) } else { std::process::id().to_string() };
    let directory = std::env::temp_dir().join(format!("predict-once-model-{id}"));
    let mut fetched = Fetched { package: directory.clone(), directory, is_kept: false };
    let tag = fs::read(fetched.directory.join(TAG)).ok().filter(|_| keep);
    let answer = get(remote, tag.as_deref()).await?;
    if answer.status() == StatusCode::NOT_MODIFIED {
        fetched.is_kept = true;
    } else {
        check(&answer)?;
        // Left by a start that was interrupted.
        let _ = fs::remove_dir_all(&fetched.directory);
        DirBuilder::new().mode(0o700).create(&fetched.directory).map_err(FetchError::Archive)?;
        unpack(answer.body(), &fetched.directory).map_err(FetchError::Archive)?;
        if let Some(tag) = answer.headers().get(header::ETAG).filter(|_| keep) {
            fs::write(fetched.directory.join(TAG), tag).map_err(FetchError::Archive)?;
            fetched.is_kept = true;
        }
    }
    fetched.package = package_in(&fetched.directory).ok_or(FetchError::NoPackage)?;
    Ok(fetched)
}

/// The object, or 304 if its entity tag is `tag`. Retries if S3 does not answer or fails.
async fn get(remote: &Remote, tag: Option<&[u8]>) -> Result<Response<Bytes>, FetchError> {
    let client = Client::new(remote.service.clone().into(), |_, _| {})?;
    let mut headers = vec![(HeaderName::from_static("x-amz-checksum-mode"), HeaderValue::from_static("ENABLED"))];
    if let Some(tag) = tag.and_then(|tag| HeaderValue::from_bytes(tag).ok()) {
        headers.push((header::IF_NONE_MATCH, tag));
    }
    let body = Bytes::new();
    let request = Request { method: &Method::GET, path: &remote.path, headers: &headers, body: &body };
    let deadline = Instant::now() + DEADLINE;
    loop {
        let answer = client.send(request, deadline, MAX_BYTES as usize).await;
        let may_help = match &answer {
            Ok(answer) => answer.status().is_server_error() || answer.status() == StatusCode::TOO_MANY_REQUESTS,
            Err(error) => !matches!(error, Error::Credentials(_)),
        };
        if !may_help || Instant::now() + PAUSE >= deadline {
            let answer = answer?;
            let is_good = answer.status().is_success() || answer.status() == StatusCode::NOT_MODIFIED;
            return if is_good { Ok(answer) } else { Err(FetchError::Refused(answer.status())) };
        }
        sleep(PAUSE).await;
    }
}

/// Compares the object with the SHA-256 that S3 has for it, if it was uploaded with one. The checksum of a multipart upload is not the
/// object's SHA-256, so it is not compared.
fn check(answer: &Response<Bytes>) -> Result<(), FetchError> {
    let Some(stored) = answer.headers().get("x-amz-checksum-sha256") else { return Ok(()) };
    let is_of_parts = stored.as_bytes().contains(&b'-');
    let digest = STANDARD.encode(Sha256::digest(answer.body()));
    if is_of_parts || stored.as_bytes() == digest.as_bytes() { Ok(()) } else { Err(FetchError::Corrupt) }
}

/// Unpacks the regular files of a tar archive, gzipped or not. None is written outside the directory.
fn unpack(archive: &[u8], directory: &Path) -> io::Result<()> {
    let plain: Box<dyn Read + '_> =
        if archive.starts_with(&[0x1f, 0x8b]) { Box::new(GzDecoder::new(archive)) } else { Box::new(archive) };
    // An archive that is cut off here is an error of the entry at the end.
    for entry in Archive::new(plain.take(MAX_BYTES)).entries()? {
        let mut entry = entry?;
        if matches!(entry.header().entry_type(), EntryType::Regular | EntryType::Directory) {
            entry.unpack_in(directory)?;
        }
    }
    Ok(())
}

/// The directory, or the only one in it, that has a manifest.
fn package_in(directory: &Path) -> Option<PathBuf> {
    if directory.join(MANIFEST).exists() {
        return Some(directory.to_owned());
    }
    let entries = fs::read_dir(directory).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let mut packages = entries.filter(|path| path.join(MANIFEST).exists());
    packages.next().filter(|_| packages.next().is_none())
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use aws_client::{Endpoint, Service};
    use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
    use axum::{Router, http::HeaderMap, routing::get};
    use flate2::{Compression, write::GzEncoder};
    use tar::{Builder, Header};
    use tokio::net::TcpListener;

    use super::*;

    /// A directory of this test, removed on drop.
    fn scratch() -> Fetched {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("predict-once-unpacked-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).expect("created");
        Fetched { package: directory.clone(), directory, is_kept: false }
    }

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (path, text) in files {
            let mut header = Header::new_gnu();
            // Without the library's own check of the path.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, text.as_bytes()).expect("in memory");
        }
        builder.into_inner().expect("in memory")
    }

    #[test]
    fn a_package_is_at_the_top_of_an_archive_or_in_its_only_folder_compressed_or_not() {
        for files in [
            &[("model.toml", "a"), ("model.onnx", "b")][..],
            &[("./model.toml", "a"), ("./model.onnx", "b")],
            &[("penguins/model.toml", "a"), ("penguins/model.onnx", "b"), ("README", "c")],
        ] {
            let plain = archive(files);
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(&plain).expect("in memory");
            for archive in [plain, gzip.finish().expect("in memory")] {
                let scratch = scratch();
                unpack(&archive, &scratch.directory).expect("valid");
                let package = package_in(&scratch.directory).expect("a package");
                assert_eq!(fs::read_to_string(package.join("model.onnx")).expect("unpacked"), "b");
            }
        }
        let none_or_two = [&[("a/b/model.toml", "a")][..], &[("a/model.toml", "a"), ("b/model.toml", "b")], &[]];
        for files in none_or_two {
            let scratch = scratch();
            unpack(&archive(files), &scratch.directory).expect("valid");
            assert_eq!(package_in(&scratch.directory), None, "{files:?}");
        }
    }

    #[test]
    fn no_path_of_an_archive_leads_out_of_the_directory() {
        let scratch = scratch();
        let name = format!("predict-once-escaped-{}", std::process::id());
        let (up, absolute) = (format!("../{name}"), format!("/{name}"));
        unpack(&archive(&[(&up, "a"), (&absolute, "a"), ("model.toml", "a")]), &scratch.directory).expect("valid");
        assert!(!std::env::temp_dir().join(&name).exists() && !Path::new(&absolute).exists());
        let mut builder = Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "model.onnx", "/etc/passwd").expect("in memory");
        unpack(&builder.into_inner().expect("in memory"), &scratch.directory).expect("valid");
        assert!(!scratch.directory.join("model.onnx").exists());
    }

    /// An object in a bucket whose entity tag is its length.
    async fn object(archive: Vec<u8>) -> Remote {
        let answer = move |headers: HeaderMap| async move {
            let tag = format!("\"{}\"", archive.len());
            let is_known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
            let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
            (status, [(header::ETAG, tag)], if is_known { Vec::new() } else { archive })
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let router = Router::new().route("/models/a.tar", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let credentials = Credentials::new("id", "secret", None, None, "test");
        let service = Service {
            name: "s3",
            region: "eu-central-1".to_owned(),
            endpoint: Endpoint::parse(&format!("http://127.0.0.1:{port}")).expect("valid"),
            certificate_authorities: None,
            credentials: SharedCredentialsProvider::new(credentials),
        };
        let uri = format!("s3://models-{}/a.tar", std::process::id());
        Remote { uri, path: "/models/a.tar".to_owned(), service }
    }

    #[tokio::test]
    async fn a_kept_package_is_fetched_again_only_if_the_object_has_changed() {
        let text = |fetched: &Fetched| fs::read_to_string(fetched.package().join("model.toml")).expect("a package");
        let remote = object(archive(&[("model.toml", "first")])).await;
        let first = fetch(&remote, true).await.expect("fetched");
        let (directory, marker) = (first.directory.clone(), first.package().join("marker"));
        assert_eq!(text(&first), "first");
        drop(first);
        fs::write(&marker, "").expect("the package is kept");
        assert_eq!(text(&fetch(&remote, true).await.expect("kept")), "first");
        assert!(marker.exists(), "the answer was 304");
        let changed = object(archive(&[("model.toml", "second"), ("model.onnx", "b")])).await;
        assert_eq!(text(&fetch(&changed, true).await.expect("fetched")), "second");
        assert!(!marker.exists());
        let other = fetch(&changed, false).await.expect("fetched");
        assert_ne!(other.directory, directory);
        let removed = other.directory.clone();
        drop(other);
        assert!(!removed.exists() && directory.exists());
        fs::remove_dir_all(directory).expect("removed");
    }

    #[test]
    fn an_object_is_compared_with_the_sha_256_that_s3_has_for_it() {
        let with = |checksum: &str| {
            let answer = Response::builder().header("x-amz-checksum-sha256", checksum);
            check(&answer.body(Bytes::from_static(b"abc")).expect("valid"))
        };
        assert!(with("ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=").is_ok());
        assert!(matches!(with("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), Err(FetchError::Corrupt)));
        assert!(with("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=-2").is_ok(), "of an object in parts");
        assert!(check(&Response::new(Bytes::new())).is_ok(), "uploaded without one");
    }

    #[test]
    fn an_archive_that_is_cut_off_or_none_is_refused() {
        let whole = archive(&[("model.toml", &"a".repeat(5000))]);
        for bytes in [&whole[..3000], &b"PK\x03\x04 a zip"[..], &[0x1f, 0x8b, 8, 0]] {
            assert!(unpack(bytes, &scratch().directory).is_err(), "{} bytes", bytes.len());
        }
    }
}
