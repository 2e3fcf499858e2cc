//! Whom a server's certificate must convince: the checks of libpq with OpenSSL, on top of rustls.
//!
//! The verifier that rustls ships is made for the web and refuses what PostgreSQL's own manual makes: a
//! certificate that is its own root, and one that bears its host only as common name. So the chain and the
//! name are checked in steps of their own here:
//!
//! 1. a certificate that stands itself, byte for byte, among the roots is trusted within its dates;
//! 2. else its chain must end at a root (webpki);
//! 3. the name must be among the subject alternative names; only where there are none at all the common name
//!    counts, as in libpq.
//!
//! The signature of the handshake is checked in every mode, also where the certificate is not: channel
//! binding ties a password exchange to the certificate and rests on the server holding its key.

use std::net::IpAddr;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::verify_tls13_signature_with_raw_key;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use x509_cert::der::asn1::{PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::error::{Error, Result};

/// What of a certificate is checked, against these roots.
#[derive(Debug)]
pub(super) enum Checks {
    Nothing,
    Chain(Vec<CertificateDer<'static>>),
    ChainAndName(Vec<CertificateDer<'static>>),
}

/// Checks a server's certificate.
#[derive(Debug)]
pub(super) struct Verifier {
    roots: Option<Roots>,
    name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
struct Roots {
    certificates: Vec<CertificateDer<'static>>,
    anchors: RootCertStore,
}

impl Verifier {
    /// Makes a verifier.
    ///
    /// # Errors
    /// There are roots, and none can be used.
    pub(super) fn new(checks: Checks, algorithms: WebPkiSupportedAlgorithms) -> Result<Self> {
        let (certificates, name) = match checks {
            Checks::Nothing => return Ok(Self { roots: None, name: false, algorithms }),
            Checks::Chain(roots) => (roots, false),
            Checks::ChainAndName(roots) => (roots, true),
        };
        let mut anchors = RootCertStore::empty();
        let (usable, _) = anchors.add_parsable_certificates(certificates.iter().cloned());
        if usable == 0 {
            return Err(Error::stop("no root certificate of sslrootcert can be read")
                .hint("they must be X.509 certificates of version 3"));
        }
        Ok(Self { roots: Some(Roots { certificates, anchors }), name, algorithms })
    }

    fn check_chain(
        &self,
        anchors: &RootCertStore,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Outcome<()> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, anchors, intermediates, now, algorithms).map_err(
            |error| {
                // webpki names the form of a self-signed certificate; what matters is that nobody vouches
                // for it.
                let odd = matches!(error, rustls::Error::InvalidCertificate(CertificateError::Other(_)));
                let signs_itself = parse(end_entity)
                    .is_ok_and(|parsed| parsed.tbs_certificate.issuer == parsed.tbs_certificate.subject);
                if odd && signs_itself { CertificateError::UnknownIssuer.into() } else { error }
            },
        )
    }
}

type Outcome<T> = Result<T, rustls::Error>;

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Outcome<ServerCertVerified> {
        if let Some(roots) = &self.roots {
            if roots.certificates.iter().any(|root| root.as_ref() == end_entity.as_ref()) {
                check_dates(end_entity, now)?;
            } else {
                self.check_chain(&roots.anchors, end_entity, intermediates, now)?;
            }
        }
        if self.name {
            check_name(end_entity, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Outcome<HandshakeSignatureValid> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Outcome<HandshakeSignatureValid> {
        if ParsedCertificate::try_from(cert).is_err() {
            // webpki reads version 3 only, and many a server's certificate was made without extensions,
            // which makes it version 1. Whether it is trusted was decided before; here its key is all that
            // counts.
            let key =
                parse(cert)?.tbs_certificate.subject_public_key_info.to_der().map_err(|_| bad_encoding())?;
            let key = SubjectPublicKeyInfoDer::from(key);
            return verify_tls13_signature_with_raw_key(message, &key, dss, &self.algorithms);
        }
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn bad_encoding() -> rustls::Error {
    CertificateError::BadEncoding.into()
}

fn parse(certificate: &CertificateDer<'_>) -> Outcome<x509_cert::Certificate> {
    x509_cert::Certificate::from_der(certificate).map_err(|_| bad_encoding())
}

fn check_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Outcome<()> {
    let validity = parse(certificate)?.tbs_certificate.validity;
    let not_before = UnixTime::since_unix_epoch(validity.not_before.to_unix_duration());
    let not_after = UnixTime::since_unix_epoch(validity.not_after.to_unix_duration());
    if now < not_before {
        return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
    }
    if now > not_after {
        return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
    }
    Ok(())
}

fn check_name(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Outcome<()> {
    let parsed = parse(certificate)?;
    let alternatives = parsed.tbs_certificate.get::<SubjectAltName>().map_err(|_| bad_encoding())?;
    let (covered, presented) = match alternatives {
        Some((_, names)) => {
            let covered = match verify_server_name(&ParsedCertificate::try_from(certificate)?, name) {
                Ok(()) => true,
                Err(rustls::Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                )) => false,
                Err(error) => return Err(error),
            };
            (covered, names.0.iter().filter_map(shown).collect())
        }
        None => {
            let names = common_names(&parsed);
            let host = name.to_str();
            (names.iter().any(|common| covers(common, &host)), names)
        }
    };
    if covered {
        return Ok(());
    }
    Err(CertificateError::NotValidForNameContext { expected: name.to_owned(), presented }.into())
}

/// A host's name or address in a certificate, for people.
fn shown(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => match bytes.as_bytes().len() {
            4 => <[u8; 4]>::try_from(bytes.as_bytes()).ok().map(|bytes| IpAddr::from(bytes).to_string()),
            _ => <[u8; 16]>::try_from(bytes.as_bytes()).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        },
        _ => None,
    }
}

fn common_names(certificate: &x509_cert::Certificate) -> Vec<String> {
    let parts = certificate.tbs_certificate.subject.0.iter().flat_map(|part| part.0.iter());
    parts
        .filter(|part| part.oid == COMMON_NAME)
        .filter_map(|part| {
            let value = &part.value;
            let utf8 = || value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_owned());
            let printable =
                || value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str().to_owned());
            let teletex = || value.decode_as::<TeletexStringRef<'_>>().map(|text| text.as_str().to_owned());
            utf8().or_else(|_| printable()).or_else(|_| teletex()).ok()
        })
        .collect()
}

/// Whether a common name stands for a host: the same but for case, or `*.` and all behind the first label.
fn covers(common: &str, host: &str) -> bool {
    if common.eq_ignore_ascii_case(host) {
        return true;
    }
    let is_address = host.parse::<IpAddr>().is_ok();
    match (common.strip_prefix("*."), host.split_once('.')) {
        (Some(domain), Some((_, behind))) => {
            !is_address && domain.contains('.') && domain.eq_ignore_ascii_case(behind)
        }
        _ => false,
    }
}

/// What is wrong with a server's certificate or its handshake, for people: the cause, and what to do.
pub(super) fn explain(error: &rustls::Error) -> (String, &'static str) {
    let rustls::Error::InvalidCertificate(certificate) = error else {
        let hint = match error {
            rustls::Error::AlertReceived(_) => {
                "the server ended it; if it wants a client certificate, name one with sslcert and sslkey"
            }
            _ => "check that a PostgreSQL server with TLS 1.2 or newer answers there",
        };
        return (error.to_string(), hint);
    };
    match certificate {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            "the server's certificate has expired".to_owned(),
            "renew the certificate on the server, or check this machine's clock",
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
            "the server's certificate is not valid yet".to_owned(),
            "check this machine's clock and the certificate's dates",
        ),
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            "the server's certificate does not come from a trusted authority".to_owned(),
            "name the certificate of the authority that signed the server's with sslrootcert=FILE",
        ),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names = if presented.is_empty() { "none".to_owned() } else { presented.join(", ") };
            let cause = format!(
                "the server's certificate is not for host name \"{}\" (its names: {names})",
                expected.to_str()
            );
            (cause, "connect by a name of the certificate, or use sslmode=verify-ca, which does not check it")
        }
        CertificateError::Other(cause) => (
            format!("the server's certificate cannot be checked: {cause}"),
            "make the server's certificate again, as an X.509 certificate of version 3 for a server",
        ),
        _ => (error.to_string(), "check the certificate on the server and the one in sslrootcert"),
    }
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_common_name_stands_for_the_same_host_or_for_one_label_below_a_domain() {
        for (common, host, yes) in [
            ("db.example.com", "DB.example.com", true),
            ("*.example.com", "db.example.com", true),
            ("*.example.com", "a.db.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.com", "example.com", false),
            ("*", "db", false),
            ("*.0.0.1", "127.0.0.1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("", "db", false),
        ] {
            assert_eq!(covers(common, host), yes, "{common} {host}");
        }
    }
}
