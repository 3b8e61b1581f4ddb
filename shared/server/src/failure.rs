//! What a failed call is taken for, in words for the person who runs the server.

use std::error::Error;
use std::io;

use domain::ports::ServerReply;
use rustls::CertificateError;

use crate::connect::NoAddress;

/// A failure before the head of the answer. `host` is `host:port`.
pub(crate) fn failed(error: &(dyn Error + 'static), host: &str) -> ServerReply {
    let causes = causes(error);
    if let Some(tls) = find::<rustls::Error>(&causes) {
        return ServerReply::Tls(tls_words(tls, host));
    }
    if find::<NoAddress>(&causes).is_some() {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        return ServerReply::Unreachable(format!("The name {name} has no address."));
    }
    let kind = causes.iter().rev().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    let connecting = find::<hyper_util::client::legacy::Error>(&causes).is_some_and(|error| error.is_connect());
    let unparsable = find::<hyper::Error>(&causes).is_some_and(hyper::Error::is_parse);
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => ServerReply::Unreachable(format!("Nothing listens at {host}.")),
        Some(io::ErrorKind::UnexpectedEof) if connecting => {
            ServerReply::Tls(format!("{host} closed the connection in the middle of the TLS handshake."))
        }
        Some(kind) if connecting => ServerReply::Unreachable(format!("No connection to {host}: {kind}.")),
        None if connecting => ServerReply::Unreachable(format!("No connection to {host}.")),
        _ if unparsable => ServerReply::Unreachable(format!("What {host} answered is not HTTP/1.1.")),
        _ => ServerReply::Unreachable("The connection closed before an answer.".to_owned()),
    }
}

/// The error and everything beneath it, outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut causes = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        causes.push(error);
        // An I/O error names as its source what is beneath the error that it wraps, not that error itself.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner as &'a (dyn Error + 'static)),
            None => error.source(),
        };
    }
    causes
}

fn find<'a, T: Error + 'static>(causes: &[&'a (dyn Error + 'static)]) -> Option<&'a T> {
    causes.iter().find_map(|cause| cause.downcast_ref())
}

fn tls_words(error: &rustls::Error, host: &str) -> String {
    let certificate = |what: &str| format!("The certificate of {host} is {what}.");
    match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => certificate("expired"),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => certificate("not valid yet"),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                certificate("for another name")
            }
            CertificateError::UnknownIssuer => certificate("from an unknown issuer"),
            CertificateError::Revoked => certificate("revoked"),
            // The library's own word, such as CaUsedAsEndEntity for one that openssl made with its defaults.
            CertificateError::Other(reason) => certificate(&format!("not valid ({:?})", reason.0)),
            reason => certificate(&format!("not valid ({reason})")),
        },
        rustls::Error::InvalidMessage(_) => format!("What {host} answered is not TLS."),
        rustls::Error::AlertReceived(alert) => format!("{host} refused the TLS handshake: {alert:?}."),
        _ => format!("The TLS handshake with {host} failed."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(error: rustls::Error) -> io::Error {
        io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_said() {
        for (reason, what) in [
            (CertificateError::Expired, "expired"),
            (CertificateError::NotValidYet, "not valid yet"),
            (CertificateError::NotValidForName, "for another name"),
            (CertificateError::UnknownIssuer, "from an unknown issuer"),
            (CertificateError::Revoked, "revoked"),
            (CertificateError::BadSignature, "not valid (BadSignature)"),
        ] {
            let error = wrapped(rustls::Error::InvalidCertificate(reason));
            let expected = ServerReply::Tls(format!("The certificate of ci.example:443 is {what}."));
            assert_eq!(failed(&error, "ci.example:443"), expected);
        }
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::ProtocolVersion);
        let words = "ci.example:443 refused the TLS handshake: ProtocolVersion.";
        assert_eq!(failed(&wrapped(alert), "ci.example:443"), ServerReply::Tls(words.into()));
    }
}
