//! rustls on both sides: what listeners offer clients, roots for upstreams. Provider: aws-lc-rs (docs/decisions/0010).
//!
//! Gives rustls configurations, or one sentence that names the file that is wrong.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::certificates::Certificates;

/// ALPN names, in our order of preference.
pub const H2: &[u8] = b"h2";
const HTTP11: &[u8] = b"http/1.1";

/// Every root of the web in one file takes less than a megabyte.
const MAX_PEM_BYTES: u64 = 16 << 20;

/// The one cryptographic provider.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider())).clone()
}

/// The listener's side: HTTP/2 and HTTP/1.1 offered, the certificate chosen by the name that the client asks for.
///
/// # Errors
/// One sentence.
pub fn server_config(certificates: Arc<Certificates>) -> Result<Arc<ServerConfig>, String> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![H2.to_vec(), HTTP11.to_vec()];
    Ok(Arc::new(config))
}

/// An upstream's side: certificates are verified against `ca_file`, or the system's roots.
///
/// # Errors
/// One sentence with the path.
pub fn client_config(ca_file: Option<&Path>, http2: bool) -> Result<Arc<ClientConfig>, String> {
    let roots = match ca_file {
        Some(path) => Arc::new(read_roots(path)?),
        None => system_roots()?,
    };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![if http2 { H2.to_vec() } else { HTTP11.to_vec() }];
    Ok(Arc::new(config))
}

/// Every certificate of a PEM file, leaf first.
///
/// # Errors
/// One sentence with the path.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let content = read_bounded(path).map_err(|e| format!("certificate {}: {e}", path.display()))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    let chain = chain.map_err(|e| format!("certificate {}: {e}", path.display()))?;
    if chain.is_empty() {
        return Err(format!("certificate {}: no certificate inside", path.display()));
    }
    Ok(chain)
}

/// A policy names this file, and whoever may write one zone's policy must not be able to make the gateway wait for a FIFO
/// or read `/dev/zero` until it has no memory left.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut content = Vec::new();
    File::open(path)?.take(MAX_PEM_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_PEM_BYTES {
        return Err(io::Error::other(format!("it is longer than {MAX_PEM_BYTES} bytes")));
    }
    Ok(content)
}

fn read_roots(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots.add(certificate).map_err(|e| format!("certificate {}: {e}", path.display()))?;
    }
    Ok(roots)
}

/// The system's roots, read once, when the first upstream needs them.
fn system_roots() -> Result<Arc<RootCertStore>, String> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    if roots.is_empty() {
        return Err("the system has no root certificates; set the upstream's `ca_file`".into());
    }
    Ok(roots.clone())
}
