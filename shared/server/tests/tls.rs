//! Certificates: which are taken, and what is said about the others.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use domain::ports::{ServerReply, ServerRequest, YourServer as _};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use server::YourServer;
use testkit::clock::ManualClock;
use url::Url;

/// One connection over TLS, answered 204 if the handshake succeeds.
fn serve(config: ServerConfig) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream);
        if matches!(stream.read(&mut [0; 4096]), Ok(read) if read > 0) {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        }
    });
    (address, server)
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server's certificate from `authority` for `name`, valid through `last_year`.
fn config(authority: &CertifiedIssuer<'static, KeyPair>, name: &str, last_year: i32) -> ServerConfig {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(last_year, 12, 31);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    with(certificate.der().clone(), &key)
}

/// The certificate that people make for themselves: signed by its own key, with or without the mark of an
/// authority, which openssl sets by default.
fn self_signed(is_ca: IsCa) -> ServerConfig {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = is_ca;
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    with(certificate.der().clone(), &key)
}

fn with(certificate: CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap()
}

async fn call(address: SocketAddr, trusted: &CertifiedIssuer<'static, KeyPair>) -> ServerReply {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().clone()).unwrap();
    let url = Url::parse(&format!("https://{address}/hook")).unwrap();
    let server = YourServer::trusting(url, Arc::new(ManualClock::default()), roots).unwrap();
    server.call(ServerRequest { headers: Vec::new(), body: Bytes::from_static(b"{}") }).await
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_is_taken() {
    let authority = authority("ours");
    let (address, server) = serve(config(&authority, "127.0.0.1", 2999));
    let reply = call(address, &authority).await;
    assert!(matches!(reply, ServerReply::Answered { code: 204, .. }), "{reply:?}");
    server.join().unwrap();
}

#[tokio::test]
async fn what_is_wrong_with_another_is_said() {
    let trusted = authority("ours");
    let stranger = authority("theirs");
    for (config, what) in [
        (config(&trusted, "127.0.0.1", 2001), "expired"),
        (config(&trusted, "ci.example", 2999), "for another name"),
        (config(&stranger, "127.0.0.1", 2999), "from an unknown issuer"),
        (self_signed(IsCa::NoCa), "from an unknown issuer"),
        (self_signed(IsCa::Ca(BasicConstraints::Unconstrained)), "not valid (CaUsedAsEndEntity)"),
    ] {
        let (address, server) = serve(config);
        let expected = ServerReply::Tls(format!("The certificate of {address} is {what}."));
        assert_eq!(call(address, &trusted).await, expected);
        server.join().unwrap();
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told_apart() {
    for (answer, words) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "What {} answered is not TLS."),
        (b"", "{} closed the connection in the middle of the TLS handshake."),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            stream.write_all(answer).unwrap();
        });
        let expected = ServerReply::Tls(words.replace("{}", &address.to_string()));
        assert_eq!(call(address, &authority("ours")).await, expected);
        server.join().unwrap();
    }
}
