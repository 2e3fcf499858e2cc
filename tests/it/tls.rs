//! Encrypted connections, end to end: a server with a certificate that is made here, each `sslmode`, certificates
//! that are wrong, client certificates, and channel binding.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use xdoflow::server::{Server, ServerOptions};

use crate::support::{Pipelines, program, stderr, stdout, try_sql};

const PIPELINE: &str = "entity = \"people\"\nsource = \"source\"\n[target.person]\ntable = \"person\"\nkey = \"id\"\n\
                        [target.person.columns]\nid = \"$id\"\nname = \"text\"\n";

/// An authority that signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate and its key, for a common name and hosts, valid until a year.
    fn sign(&self, name: &str, hosts: &[&str], until: i32) -> (String, String) {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.issuer).expect("a certificate").pem(), key.serialize_pem())
    }
}

/// The server, and what a client needs to trust it.
struct Secure {
    server: Server,
    ours: Authority,
    folder: PathBuf,
    pipelines: Pipelines,
}

/// Roles that the server lets in only encrypted, only in the clear, or only with a certificate.
const ACCESS: &str = "local   all all               scram-sha-256\n\
                      hostssl all covered   all     scram-sha-256\n\
                      hostnossl all bare    all     scram-sha-256\n\
                      hostssl all carded    all     cert\n\
                      host    all postgres  all     scram-sha-256\n";

fn start() -> Secure {
    let server = Server::start(ServerOptions::for_tests()).expect("a private server");
    let (ours, theirs) = (Authority::new("our authority"), Authority::new("their authority"));
    let folder = std::env::temp_dir().join(format!("xdoflow-tls-{}", server.port()));
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("ours.crt"), &ours.pem).expect("a file");
    fs::write(folder.join("theirs.crt"), &theirs.pem).expect("a file");
    for (name, authority, common_name) in
        [("carded", &ours, "carded"), ("other", &ours, "other"), ("forged", &theirs, "carded")]
    {
        let (certificate, key) = authority.sign(common_name, &[], 2100);
        fs::write(folder.join(format!("{name}.crt")), certificate).expect("a file");
        fs::write(folder.join(format!("{name}.key")), key).expect("a file");
        fs::set_permissions(folder.join(format!("{name}.key")), fs::Permissions::from_mode(0o600))
            .expect("a mode");
    }
    let secure = Secure { server, ours, folder, pipelines: Pipelines::new(&[("people.toml", PIPELINE)]) };
    secure.write("ca.crt", &secure.ours.pem);
    secure.write("pg_hba.conf", ACCESS);
    for (name, hosts, until) in [
        ("good", &["localhost"][..], 2100),
        ("elsewhere", &["db.example.com"], 2100),
        ("expired", &["localhost"], 2021),
    ] {
        let (certificate, key) = secure.ours.sign(name, hosts, until);
        secure.write(&format!("{name}.crt"), &certificate);
        secure.write(&format!("{name}.key"), &key);
    }
    let url = secure.server.url();
    sql(
        &url,
        "CREATE TABLE source (id bigint PRIMARY KEY, xdo jsonb); CREATE TABLE person (id bigint PRIMARY KEY, name text)",
    );
    sql(&url, "INSERT INTO source VALUES (1, '{\"name\": \"Ann\"}')");
    for role in ["covered", "bare", "carded"] {
        sql(&url, &format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 's3cret-of-{role}'"));
    }
    sql(&url, "ALTER SYSTEM SET ssl_ca_file = 'ca.crt'");
    secure.present("good");
    secure
}

fn sql(url: &str, statement: &str) {
    try_sql(url, statement).unwrap_or_else(|error| panic!("{error}\n{statement}"));
}

impl Secure {
    /// Writes a file into the server's folder, for the server alone.
    fn write(&self, name: &str, text: &str) {
        let path = self.server.data_dir().join(name);
        fs::write(&path, text).expect("a file");
        let owner = fs::metadata(self.server.data_dir()).expect("the server's folder");
        chown(&path, Some(owner.uid()), Some(owner.gid())).expect("its owner");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
    }

    /// From now on the server shows this certificate.
    fn present(&self, name: &str) {
        let url = self.server.url();
        for (setting, value) in [
            ("ssl", "on".to_owned()),
            ("ssl_cert_file", format!("{name}.crt")),
            ("ssl_key_file", format!("{name}.key")),
        ] {
            sql(&url, &format!("ALTER SYSTEM SET {setting} = '{value}'"));
        }
        sql(&url, "SELECT pg_reload_conf()");
        // The postmaster reads its settings when it comes to it.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let shown = || try_sql(&url, "SHOW ssl_cert_file").map(|rows| rows[0][0].clone()).unwrap_or_default();
        while shown() != format!("{name}.crt") {
            assert!(std::time::Instant::now() < deadline, "the server does not show {name}");
            std::thread::yield_now();
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Whether a role gets in, with these words of a connection string; else what is told.
    fn connect(&self, role: &str, words: &str) -> Result<(), String> {
        let host = if words.contains("host=") { "" } else { "host=localhost" };
        let password = if role == "carded" { String::new() } else { format!("password=s3cret-of-{role}") };
        let database = self.server.url().rsplit_once('/').expect("a database").1.to_owned();
        let source =
            format!("{host} port={} user={role} {password} dbname={database} {words}", self.server.port());
        let output = program()
            .args(["status", "--pipelines", self.pipelines.path(), "--source", &source])
            .output()
            .expect("the program runs");
        let told = stderr(&output);
        assert!(!told.contains("s3cret") && !stdout(&output).contains("s3cret"), "{told}");
        match output.status.code() {
            Some(0) => Ok(()),
            // A contradiction of the connection string itself is wrong usage.
            Some(1 | 2) => {
                assert!(told.contains("hint: "), "{told}");
                Err(told)
            }
            code => panic!("{code:?} {told}"),
        }
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn refused(outcome: Result<(), String>, expected: &str) {
    let told = outcome.expect_err(expected);
    assert!(told.contains(expected), "{expected}: {told}");
}

/// One test, for the certificate of the server is one for all.
#[test]
fn each_sslmode_is_what_it_says_and_wrong_certificates_are_refused() {
    let secure = start();
    let root = format!("sslrootcert={}", secure.file("ours.crt"));
    let foreign = format!("sslrootcert={}", secure.file("theirs.crt"));

    // Which way each mode goes: one role gets in only encrypted, the other only in the clear.
    for (mode, covered, bare) in
        [("disable", false, true), ("allow", true, true), ("prefer", true, true), ("require", true, false)]
    {
        assert_eq!(secure.connect("covered", &format!("sslmode={mode}")).is_ok(), covered, "{mode}");
        assert_eq!(secure.connect("bare", &format!("sslmode={mode}")).is_ok(), bare, "{mode}");
    }
    for mode in ["verify-ca", "verify-full"] {
        assert_eq!(secure.connect("covered", &format!("sslmode={mode} {root}")), Ok(()));
        refused(secure.connect("bare", &format!("sslmode={mode} {root}")), "pg_hba.conf");
        refused(secure.connect("covered", &format!("sslmode={mode} {foreign}")), mode);
        refused(
            secure.connect("covered", &format!("sslmode={mode} sslrootcert=/nowhere/root.crt")),
            "/nowhere/root.crt",
        );
        assert!(
            secure.connect("covered", &format!("sslmode={mode}")).is_err(),
            "without an authority to trust"
        );
    }
    refused(secure.connect("covered", "sslmode=verify-full sslrootcert=system"), "sslmode=verify-full");
    refused(secure.connect("covered", "sslmode=require sslrootcert=system"), "too weak");
    // With a root file `require` looks at the chain, as in libpq.
    assert_eq!(secure.connect("covered", &format!("sslmode=require {root}")), Ok(()));
    refused(secure.connect("covered", &format!("sslmode=require {foreign}")), "sslmode=require");

    // The host: another name is a matter of verify-full alone.
    for host in ["host=127.0.0.1", "host=localhost.localdomain hostaddr=127.0.0.1"] {
        assert_eq!(secure.connect("covered", &format!("{host} sslmode=verify-ca {root}")), Ok(()), "{host}");
        refused(
            secure.connect("covered", &format!("{host} sslmode=verify-full {root}")),
            "sslmode=verify-full",
        );
    }
    assert_eq!(
        secure.connect("covered", &format!("host=localhost hostaddr=127.0.0.1 sslmode=verify-full {root}")),
        Ok(())
    );

    // Client certificates.
    let card = |name: &str| {
        format!(
            "sslmode=verify-full {root} sslcert={} sslkey={}",
            secure.file(&format!("{name}.crt")),
            secure.file(&format!("{name}.key"))
        )
    };
    assert_eq!(secure.connect("carded", &card("carded")), Ok(()));
    refused(secure.connect("carded", &format!("sslmode=verify-full {root}")), "certificate");
    assert!(secure.connect("carded", &card("other")).is_err(), "a card of somebody else");
    assert!(secure.connect("carded", &card("forged")).is_err(), "a card of another authority");

    // Channel binding is over TLS or not at all.
    assert_eq!(
        secure.connect("covered", &format!("sslmode=verify-full {root} channel_binding=require")),
        Ok(())
    );
    assert_eq!(
        secure.connect("covered", &format!("sslmode=verify-full {root} channel_binding=disable")),
        Ok(())
    );
    assert!(secure.connect("bare", "sslmode=disable channel_binding=require").is_err());

    // Certificates of the server that are wrong in other ways.
    for (certificate, mode, good) in [
        ("elsewhere", "require", true),
        ("elsewhere", "verify-ca", true),
        ("elsewhere", "verify-full", false),
        ("expired", "verify-full", false),
        ("expired", "verify-ca", false),
    ] {
        secure.present(certificate);
        let outcome = secure
            .connect("covered", &format!("sslmode={mode} {}", if mode == "require" { "" } else { &root }));
        match (good, outcome) {
            (true, outcome) => assert_eq!(outcome, Ok(()), "{certificate} {mode}"),
            (false, outcome) => {
                let word = if certificate == "expired" { "expired" } else { "db.example.com" };
                refused(outcome, word);
            }
        }
    }
    secure.present("elsewhere");
    assert_eq!(
        secure.connect(
            "covered",
            &format!("host=db.example.com hostaddr=127.0.0.1 sslmode=verify-full {root}")
        ),
        Ok(())
    );

    // A server that speaks no TLS.
    sql(&secure.server.url(), "ALTER SYSTEM SET ssl = off");
    sql(&secure.server.url(), "SELECT pg_reload_conf()");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while secure.connect("bare", "sslmode=require").is_ok()
        || secure.connect("covered", "sslmode=require").is_ok()
    {
        assert!(std::time::Instant::now() < deadline, "TLS is still on");
    }
    refused(secure.connect("bare", "sslmode=require"), "TLS");
    assert_eq!(secure.connect("bare", "sslmode=prefer"), Ok(()));
    secure.present("good");
}
