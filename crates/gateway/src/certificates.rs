//! The certificates that a TLS listener shows: one by default, others by the name a client asks for (SNI, RFC 6066 §3),
//! read again when their files change.
//!
//! Gives rustls its certificate per handshake. What cannot be read changes nothing: the certificates in use stay, an alert says
//! which file is wrong.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::background::Background;
use crate::config::TlsFiles;
use crate::files::{Identity, identity};
use crate::log;
use crate::shared::Shared;
use crate::tls::{provider, read_certificates};

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// Pairs in one directory; more is a wrong directory, not a set-up.
const MAX_PAIRS: usize = 10_000;
/// The alert while changed files cannot be used.
pub const ALERT: &str = "certificate_refused";

/// The certificates of one listener. Shared by its handshakes and the thread that watches the files.
#[derive(Debug)]
pub struct Certificates {
    files: TlsFiles,
    chosen: ArcSwap<Chosen>,
}

/// What is in use: replaced as a whole.
#[derive(Debug)]
struct Chosen {
    default: Arc<CertifiedKey>,
    /// By lower-case name; `*.example.com` stands for one label more.
    by_name: HashMap<String, Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads all files.
    ///
    /// # Errors
    /// One sentence with the path.
    pub fn open(files: &TlsFiles) -> Result<Arc<Certificates>, String> {
        let chosen = ArcSwap::from_pointee(Chosen::read(files)?);
        Ok(Arc::new(Certificates { files: files.clone(), chosen }))
    }

    /// Reads all files again.
    fn reload(&self) -> Result<(), String> {
        self.chosen.store(Arc::new(Chosen::read(&self.files)?));
        Ok(())
    }

    /// What tells that a file has changed, came or went.
    fn identities(&self) -> Vec<(PathBuf, Option<Identity>)> {
        let TlsFiles { certificate, key, directory } = &self.files;
        let mut paths = vec![certificate.clone(), key.clone()];
        if let Some(directory) = directory {
            paths.push(directory.clone());
            paths.extend(pairs(directory).unwrap_or_default().into_iter().flat_map(|(certificate, key)| [certificate, key]));
        }
        paths.into_iter().map(|path| (path.clone(), identity(&path))).collect()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.chosen.load().named(hello.server_name()))
    }
}

impl Chosen {
    fn read(files: &TlsFiles) -> Result<Chosen, String> {
        let default = read_pair(&files.certificate, &files.key)?;
        let mut by_name = HashMap::new();
        for (certificate, key) in files.directory.as_deref().map(pairs).transpose()?.unwrap_or_default() {
            let pair = read_pair(&certificate, &key)?;
            for name in names(&pair, &certificate)? {
                by_name.entry(name).or_insert_with(|| pair.clone());
            }
        }
        Ok(Chosen { default, by_name })
    }

    /// The certificate for a name: its own, else that of `*.` and its parent, else the default one.
    fn named(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let found = name.filter(|_| !self.by_name.is_empty()).and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wildcard = || name.split_once('.').and_then(|(_, parent)| self.by_name.get(&format!("*.{parent}")));
            self.by_name.get(&name).or_else(wildcard)
        });
        found.unwrap_or(&self.default).clone()
    }
}

/// Every `NAME.pem` of a directory with its `NAME.key`, by name.
fn pairs(directory: &Path) -> Result<Vec<(PathBuf, PathBuf)>, String> {
    let failed = |error: io::Error| format!("certificates in {}: {error}", directory.display());
    let mut found = vec![];
    for entry in fs::read_dir(directory).map_err(failed)?.take(4 * MAX_PAIRS) {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            found.push((path.clone(), path.with_extension("key")));
        }
    }
    if found.len() > MAX_PAIRS {
        return Err(format!("certificates in {}: more than {MAX_PAIRS}", directory.display()));
    }
    found.sort();
    Ok(found)
}

fn read_pair(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, String> {
    let chain = read_certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| format!("private key {}: {e}", key.display()))?;
    let pair = CertifiedKey::from_der(chain, private, &provider());
    pair.map(Arc::new).map_err(|e| format!("certificate {} with key {}: {e}", certificate.display(), key.display()))
}

/// The DNS names that a certificate is for (its subject alternative names, RFC 6125 §6.4).
fn names(pair: &CertifiedKey, path: &Path) -> Result<Vec<String>, String> {
    let unusable = |why: String| format!("certificate {}: {why}", path.display());
    let leaf: &CertificateDer<'_> = pair.end_entity_cert().map_err(|e| unusable(e.to_string()))?;
    let parsed = webpki::EndEntityCert::try_from(leaf).map_err(|e| unusable(e.to_string()))?;
    let names: Vec<String> = parsed.valid_dns_names().map(str::to_ascii_lowercase).collect();
    if names.is_empty() { Err(unusable("it carries no DNS name".into())) } else { Ok(names) }
}

/// Watches the files of all listeners.
///
/// # Errors
/// The system's, when it gives no thread.
pub fn start(shared: Arc<Shared>, listeners: Vec<Arc<Certificates>>) -> io::Result<Background> {
    let mut seen: Vec<_> = listeners.iter().map(|listener| listener.identities()).collect();
    Background::start("hoplon-certs", INTERVAL, Arc::default(), move || {
        let now: Vec<_> = listeners.iter().map(|listener| listener.identities()).collect();
        if now != seen {
            // Noted before reading: what changes meanwhile is seen the next time.
            seen = now;
            report(&shared, listeners.iter().try_for_each(|listener| listener.reload()));
        }
    })
}

fn report(shared: &Shared, reloaded: Result<(), String>) {
    match reloaded {
        Ok(()) => {
            shared.alerts.clear(ALERT);
            log::info("certificates", "changed certificates are in use for new connections");
        }
        Err(message) => {
            log::warn("certificates.refused", &message);
            shared.alerts.raise(ALERT, format!("{message}; the certificates before stay in use"));
        }
    }
}
