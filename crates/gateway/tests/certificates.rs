//! Certificates by the name a client asks for, and replaced while clients connect.

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use support::certificate::{Certificate, write_pair};
use support::upstream::Upstream;
use support::{Setup, TestGateway, until, zone};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Accepts any certificate and remembers it.
#[derive(Debug)]
struct Remember(Mutex<Vec<u8>>);

impl ServerCertVerifier for Remember {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.0.lock().unwrap() = leaf.to_vec();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

/// The certificate that a listener shows to a client asking for `name`.
fn shown(address: SocketAddr, name: &'static str) -> Vec<u8> {
    let seen = Arc::new(Remember(Mutex::default()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.dangerous().with_custom_certificate_verifier(seen.clone()).with_no_client_auth();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let tcp = TcpStream::connect(address).await.unwrap();
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name).unwrap(), tcp).await.unwrap();
    });
    seen.0.lock().unwrap().clone()
}

fn gateway(default: &Certificate, directory: &Path) -> TestGateway {
    let upstream = Upstream::fixed(OK);
    let mut setup = Setup::new(zone(&[upstream.address]));
    let tls = json!({"certificate": default.certificate(), "key": default.key(), "directory": directory});
    setup.config["listen"] = json!([{"address": "127.0.0.1:0", "tls": tls}]);
    setup.start()
}

fn der(path: &Path) -> Vec<u8> {
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_file(path).unwrap().to_vec()
}

#[test]
fn the_name_a_client_asks_for_chooses_the_certificate() {
    let default = Certificate::new();
    let folder = tempfile::tempdir().unwrap();
    let shop = write_pair(folder.path(), "shop", &["shop.test", "www.shop.test"]);
    let any = write_pair(folder.path(), "wild", &["*.shop.test"]);
    let gateway = gateway(&default, folder.path());
    let address = gateway.address();
    assert_eq!(shown(address, "shop.test"), shop);
    assert_eq!(shown(address, "WWW.shop.test"), shop, "an exact name beats a wildcard, whatever its case");
    assert_eq!(shown(address, "eu.shop.test"), any);
    assert_eq!(shown(address, "a.eu.shop.test"), der(&default.certificate()), "a wildcard is one label");
    assert_eq!(shown(address, "other.test"), der(&default.certificate()));
    assert_eq!(shown(address, "127.0.0.1"), der(&default.certificate()), "an address sends no name");
}

#[test]
fn changed_files_are_taken_without_a_restart_and_bad_ones_change_nothing() {
    let default = Certificate::new();
    let folder = tempfile::tempdir().unwrap();
    let first = write_pair(folder.path(), "shop", &["shop.test"]);
    let gateway = gateway(&default, folder.path());
    let address = gateway.address();
    assert_eq!(shown(address, "shop.test"), first);

    std::fs::write(folder.path().join("shop.key"), "no key").unwrap();
    until("the alert names the file", || alert(&gateway).is_some_and(|text| text.contains("shop.key")));
    assert_eq!(shown(address, "shop.test"), first);

    let second = write_pair(folder.path(), "shop", &["shop.test"]);
    until("the new pair is shown", || shown(address, "shop.test") == second);
    assert_eq!(alert(&gateway), None);

    let new = write_pair(folder.path(), "new", &["new.test"]);
    until("a new file is taken", || shown(address, "new.test") == new);
    std::fs::remove_file(folder.path().join("new.pem")).unwrap();
    until("a removed one is forgotten", || shown(address, "new.test") == der(&default.certificate()));
}

#[test]
fn a_certificate_and_a_key_that_do_not_belong_together_are_not_taken() {
    let default = Certificate::new();
    let folder = tempfile::tempdir().unwrap();
    let shop = write_pair(folder.path(), "shop", &["shop.test"]);
    let gateway = gateway(&default, folder.path());
    std::fs::copy(default.key(), folder.path().join("shop.key")).unwrap();
    until("the alert is raised", || alert(&gateway).is_some());
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(shown(gateway.address(), "shop.test"), shop);
}

fn alert(gateway: &TestGateway) -> Option<String> {
    gateway.shared().alerts.all().get("certificate_refused").cloned()
}
