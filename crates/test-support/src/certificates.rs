//! Certificates made by openssl, signed by an authority of their own.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

use redis_test::utils::TlsFilePaths;

use crate::eventually;

/// A certificate authority in a directory of its own, which is removed on drop.
pub struct Authority {
    directory: PathBuf,
}

/// The files of a certificate and its key.
#[derive(Clone)]
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    /// `name` is unique among the running tests.
    pub fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("predict-once-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let authority = Self { directory };
        authority.openssl("req -x509 -keyout ca.key -out ca.crt -days 10 -subj /CN=authority", true);
        authority
    }

    /// The authority's own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.directory.join("ca.crt")
    }

    /// A certificate for a subject alternative name: `IP:127.0.0.1`, `DNS:redis.example`.
    pub fn certify(&self, name: &str) -> Certificate {
        self.sign(name, 10)
    }

    /// A certificate that has expired.
    pub async fn certify_expired(&self, name: &str) -> Certificate {
        let certificate = self.sign(name, 0);
        let made = SystemTime::now();
        let is_over = async || made.elapsed().is_ok_and(|elapsed| elapsed > Duration::from_secs(1));
        eventually("the certificate expires", is_over).await;
        certificate
    }

    fn sign(&self, name: &str, days: u32) -> Certificate {
        let file = name.replace([':', '.'], "-");
        std::fs::write(self.directory.join("extensions"), format!("subjectAltName={name}")).expect("written");
        self.openssl(&format!("req -new -keyout {file}.key -out {file}.csr -subj /CN={file}"), true);
        let authority = "-CA ca.crt -CAkey ca.key -CAcreateserial -extfile extensions";
        self.openssl(&format!("x509 -req -in {file}.csr {authority} -days {days} -out {file}.crt"), false);
        let path = |extension: &str| self.directory.join(format!("{file}.{extension}"));
        Certificate { certificate: path("crt"), key: path("key") }
    }

    fn openssl(&self, arguments: &str, with_new_key: bool) {
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let status = Command::new("openssl")
            .current_dir(&self.directory)
            .args(arguments.split(' '))
            .args(with_new_key.then_some(new_key).into_iter().flatten())
            .stderr(Stdio::null())
            .status();
        assert!(status.expect("openssl starts").success(), "{arguments}");
    }

    /// What a server needs to present this certificate and to trust those of this authority.
    pub fn of_a_server(&self, Certificate { certificate, key }: Certificate) -> TlsFilePaths {
        TlsFilePaths { redis_crt: certificate, redis_key: key, ca_crt: self.certificate() }
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The path as the value of a setting.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
