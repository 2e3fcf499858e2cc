//! TLS as libpq's `sslmode` asks for it.
//!
//! | mode | TLS | the server's certificate |
//! | --- | --- | --- |
//! | `disable` | never | |
//! | `allow` | if the server refuses a connection without | its chain, if a root file is there |
//! | `prefer` (default) | if the server speaks it and the handshake succeeds | the same |
//! | `require` | always | the same: without a root file any certificate will do |
//! | `verify-ca` | always | its chain |
//! | `verify-full` | always | its chain and its host name |
//!
//! The root file is `sslrootcert` (`system` for the system's own), else `~/.postgresql/root.crt`; the
//! client's certificate is `sslcert` with `sslkey`, else `~/.postgresql/postgresql.crt` and `.key`. A
//! default file that is missing is no matter; one that was named must be there, where libpq would go on
//! without checking anything.
//!
//! The provider of the cryptography is handed over explicitly: rustls panics where it has to guess.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, SupportedProtocolVersion};
use tokio_postgres::config::SslNegotiation;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::parameters::Given;
use super::verify::{Checks, Verifier};
use crate::error::{Error, Result};

/// libpq's `sslmode`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

const MODES: [(&str, SslMode); 6] = [
    ("disable", SslMode::Disable),
    ("allow", SslMode::Allow),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];

impl SslMode {
    /// The mode as users write it.
    pub(super) fn word(self) -> &'static str {
        MODES.iter().find(|(_, mode)| *mode == self).map_or("", |(word, _)| word)
    }
}

/// How TLS is to be used. Files are read once, when the first connection needs them.
#[derive(Clone)]
pub(super) struct TlsSettings {
    pub(super) mode: SslMode,
    pub(super) negotiation: SslNegotiation,
    root: Root,
    /// The client's certificate and key, and whether they were named.
    certificate: Option<(PathBuf, bool)>,
    key: Option<PathBuf>,
    server_name_indication: bool,
    versions: Vec<&'static SupportedProtocolVersion>,
    connector: Arc<OnceLock<MakeRustlsConnect>>,
}

#[derive(Clone)]
enum Root {
    System,
    /// `sslrootcert`.
    Named(PathBuf),
    /// `~/.postgresql/root.crt`, where there is a home.
    Default(Option<PathBuf>),
}

impl TlsSettings {
    /// Picks what concerns TLS.
    ///
    /// # Errors
    /// Usage: a word that is none, or words that contradict each other.
    pub(super) fn resolve(given: &Given, home: Option<&Path>) -> Result<Self> {
        let default_file = |name: &str| home.map(|home| home.join(".postgresql").join(name));
        let root = match given.text("sslrootcert") {
            Some("system") => Root::System,
            Some(path) => Root::Named(PathBuf::from(path)),
            None => Root::Default(default_file("root.crt")),
        };
        let system = matches!(root, Root::System);
        let mode =
            given.word("sslmode", &MODES, if system { SslMode::VerifyFull } else { SslMode::Prefer })?;
        if system && mode != SslMode::VerifyFull {
            return Err(Error::usage(format!("sslmode={} is too weak for sslrootcert=system", mode.word()))
                .hint("anyone can get a certificate from a public authority: use sslmode=verify-full"));
        }
        let negotiation = given.word(
            "sslnegotiation",
            &[("postgres", SslNegotiation::Postgres), ("direct", SslNegotiation::Direct)],
            SslNegotiation::Postgres,
        )?;
        if negotiation == SslNegotiation::Direct && mode < SslMode::Require {
            return Err(Error::usage(format!(
                "sslmode={} is too weak for sslnegotiation=direct",
                mode.word()
            ))
            .hint("use sslmode=require or stronger"));
        }
        Ok(Self {
            mode,
            negotiation,
            root,
            certificate: match given.text("sslcert") {
                Some(path) => Some((PathBuf::from(path), true)),
                None => default_file("postgresql.crt").map(|path| (path, false)),
            },
            key: given.text("sslkey").map(PathBuf::from).or_else(|| default_file("postgresql.key")),
            server_name_indication: given.number("sslsni")? != Some(0),
            versions: versions(given)?,
            connector: Arc::default(),
        })
    }

    /// What opens TLS on a socket; made at the first call, the same ever after.
    ///
    /// # Errors
    /// A file of certificates or keys is missing, unreadable or holds none.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect> {
        if let Some(connector) = self.connector.get() {
            return Ok(connector.clone());
        }
        let connector = MakeRustlsConnect::new(self.client_config()?);
        Ok(self.connector.get_or_init(|| connector).clone())
    }

    fn client_config(&self) -> Result<ClientConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let checks = match (self.mode, self.roots()?) {
            (SslMode::VerifyFull, Some(roots)) => Checks::ChainAndName(roots),
            (_, Some(roots)) => Checks::Chain(roots),
            (_, None) => Checks::Nothing,
        };
        let verifier = Verifier::new(checks, provider.signature_verification_algorithms)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .map_err(|error| tls_error(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match self.client_certificate()? {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
                tls_error(&error).hint("check that sslkey is the key of the certificate in sslcert")
            })?,
            None => builder.with_no_client_auth(),
        };
        config.enable_sni = self.server_name_indication;
        // Servers from PostgreSQL 17 on insist on it where TLS begins without asking first.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(config)
    }

    /// The certificates that a server's must come from; `None` where none are known and none are needed.
    fn roots(&self) -> Result<Option<Vec<CertificateDer<'static>>>> {
        match &self.root {
            Root::System => {
                let found = rustls_native_certs::load_native_certs().certs;
                if found.is_empty() {
                    return Err(Error::stop("the system has no root certificates for sslrootcert=system")
                        .hint("install them (Debian: ca-certificates), or name a file with sslrootcert"));
                }
                Ok(Some(found))
            }
            Root::Named(path) => Ok(Some(read_certificates("sslrootcert", path)?)),
            Root::Default(Some(path)) if path.exists() => Ok(Some(read_certificates("sslrootcert", path)?)),
            Root::Default(path) if self.mode >= SslMode::VerifyCa => {
                let file =
                    path.as_ref().map_or("~/.postgresql/root.crt".into(), |path| path.to_string_lossy());
                Err(Error::stop(format!(
                    "sslmode={} needs root certificates, and {file} does not exist",
                    self.mode.word()
                ))
                .hint("name the authority's certificate with sslrootcert=FILE, or use sslrootcert=system"))
            }
            Root::Default(_) => Ok(None),
        }
    }

    fn client_certificate(&self) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>> {
        let Some((path, _)) = self.certificate.as_ref().filter(|(path, named)| *named || path.exists())
        else {
            return Ok(None);
        };
        let chain = read_certificates("sslcert", path)?;
        let key = self.key.as_ref().ok_or_else(|| {
            Error::stop("sslcert is given without sslkey").hint("name the certificate's key with sslkey=FILE")
        })?;
        check_key_mode(key)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| {
            Error::stop(format!("cannot read sslkey \"{}\"", key.display()))
                .detail(error.to_string())
                .hint("it must be a PEM file with a key that is not encrypted")
        })?;
        Ok(Some((chain, key)))
    }
}

/// The versions of TLS between the given bounds; rustls speaks 1.2 and 1.3.
fn versions(given: &Given) -> Result<Vec<&'static SupportedProtocolVersion>> {
    let words = [("TLSv1", 10), ("TLSv1.1", 11), ("TLSv1.2", 12), ("TLSv1.3", 13)];
    let lowest = given.word("ssl_min_protocol_version", &words, 12)?;
    let highest = given.word("ssl_max_protocol_version", &words, 13)?;
    let versions: Vec<_> = [(12, &rustls::version::TLS12), (13, &rustls::version::TLS13)]
        .into_iter()
        .filter(|(version, _)| (lowest..=highest).contains(version))
        .map(|(_, version)| version)
        .collect();
    if versions.is_empty() {
        return Err(Error::usage(
            "no version of TLS lies between ssl_min_protocol_version and ssl_max_protocol_version",
        )
        .hint("TLSv1.2 and TLSv1.3 are spoken"));
    }
    Ok(versions)
}

fn tls_error(error: &rustls::Error) -> Error {
    Error::stop(format!("cannot set up TLS: {error}"))
}

fn read_certificates(parameter: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let failed = |why: String| {
        Error::stop(format!("cannot read {parameter} \"{}\"", path.display()))
            .detail(why)
            .hint("it must be a PEM file with one certificate or more")
    };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(error.to_string()))?;
    if certificates.is_empty() {
        return Err(failed("it holds no certificate".to_owned()));
    }
    Ok(certificates)
}

/// As libpq: a key that others may read is refused; the group may where the file is root's.
fn check_key_mode(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if let Ok(metadata) = std::fs::metadata(path) {
            let open_to = if metadata.uid() == 0 { 0o037 } else { 0o077 };
            if metadata.mode() & open_to != 0 {
                return Err(Error::stop(format!("sslkey \"{}\" is open to others", path.display()))
                    .hint("run chmod 0600 on it"));
            }
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
