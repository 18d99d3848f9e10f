//! Self-signed certificates as files, and both ends of TLS that speak with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A self-signed certificate with its key, as `cert.pem` and `cert.key` in a folder of their own.
pub struct Certificate {
    folder: tempfile::TempDir,
}

impl Certificate {
    /// For `api.test`.
    pub fn new() -> Certificate {
        let folder = tempfile::tempdir().unwrap();
        write_pair(folder.path(), "cert", &["api.test"]);
        Certificate { folder }
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.path().join("cert.key")
    }

    /// A client that trusts this certificate alone.
    pub fn client(&self, alpn: &[&[u8]]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.certificate()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }

    /// A server that shows it.
    pub fn server(&self, alpn: &[&[u8]]) -> TlsAcceptor {
        let chain = vec![CertificateDer::from_pem_file(self.certificate()).unwrap()];
        let key = PrivateKeyDer::from_pem_file(self.key()).unwrap();
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider())
}

/// Writes `NAME.pem` and `NAME.key` of a new self-signed certificate; gives the certificate's bytes (DER).
pub fn write_pair(folder: &Path, name: &str, hosts: &[&str]) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed(hosts.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    std::fs::write(folder.join(name).with_extension("key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join(name).with_extension("pem"), made.cert.pem()).unwrap();
    made.cert.der().to_vec()
}
