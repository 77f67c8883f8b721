//! A site that exchanges claims for link tokens, as Skupper's does: its checks, in their order, and its words.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::authority::Credentials;
use crate::peer::Server;
use crate::ports::free_port;

/// The site that tokens of [`Credentials::token`] and of [`claim_token`] come from.
pub const SITE: &str = "a960b766-20bd-42c8-886d-741f3a9f6aa2";

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// All but the body.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What a server answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A status and a text, as servers write it.
    Status(u16, String),
    /// These bytes, and then the end.
    Bytes(Vec<u8>),
    /// These bytes, and then nothing until the client has gone.
    Stall(Vec<u8>),
    /// These bytes again and again, as long as somebody reads them.
    Endless(Vec<u8>),
}

/// What a site knows of a claim.
#[derive(Debug, Clone)]
pub struct Record {
    /// The password.
    pub password: String,
    /// When it expires.
    pub expires: Option<OffsetDateTime>,
    /// How often it may be redeemed.
    pub remaining: Option<u32>,
}

/// The claims of a site.
pub struct Claims {
    records: Mutex<BTreeMap<String, Record>>,
    issue: Box<dyn Fn(&str) -> String + Send + Sync>,
}

/// An HTTPS server that is asked for tokens.
#[derive(Debug)]
pub struct ClaimServer {
    server: Server<()>,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Claims {
    /// No claims yet; `issue` makes the link token for a subject.
    #[must_use]
    pub fn new(issue: impl Fn(&str) -> String + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { records: Mutex::default(), issue: Box::new(issue) })
    }

    /// Adds or replaces a claim.
    pub fn add(&self, name: &str, record: Record) {
        self.records.lock().expect("claims").insert(name.to_owned(), record);
    }

    /// As Skupper's `ClaimVerifier` answers.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Answer {
        let refuse = |status: u16, words: &str| Answer::Status(status, format!("{words}\n"));
        let mut line = request.head.lines().next().unwrap_or_default().split(' ');
        let (method, target) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
        if method != "POST" {
            return refuse(405, "Only POST is supported");
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let name = path.replace('/', "");
        let version = query.split('&').find_map(|pair| pair.strip_prefix("site-version=")).unwrap_or_default();
        if !is_at_least_0_8(version) {
            return refuse(400, "minimum version required 0.8.0");
        }
        let mut records = self.records.lock().expect("claims");
        let Some(record) = records.get_mut(&name) else {
            return refuse(404, "No such claim");
        };
        if record.expires.is_some_and(|moment| moment < OffsetDateTime::now_utc()) {
            return refuse(404, "No such claim");
        }
        if record.password.as_bytes() != request.body {
            return refuse(403, "Claim refused");
        }
        match &mut record.remaining {
            Some(0) => return refuse(404, "No such claim"),
            Some(uses) => *uses -= 1,
            None => {}
        }
        let subject = request.header("skupper-site-name").unwrap_or(&name);
        Answer::Status(200, (self.issue)(subject))
    }
}

/// Whoever is older must say so as a release: `0.7.9`, `v0.8.0`.
fn is_at_least_0_8(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (0, 8),
        _ => false,
    }
}

impl Request {
    /// A field of the head; names in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }
}

impl ClaimServer {
    /// Starts one on 127.0.0.1 that speaks TLS 1.3 alone, as sites of 1.7 and later do.
    #[must_use]
    pub fn start(identity: &Credentials, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::at(free_port(), identity, answer)
    }

    /// The same on a port that was found before.
    #[must_use]
    pub fn at(port: u16, identity: &Credentials, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::open(port, &rustls::version::TLS13, identity, answer)
    }

    /// One that speaks TLS 1.2 alone, as sites of 1.5 may.
    #[must_use]
    pub fn of_tls12(identity: &Credentials, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::open(free_port(), &rustls::version::TLS12, identity, answer)
    }

    fn open(
        port: u16,
        version: &'static SupportedProtocolVersion,
        identity: &Credentials,
        answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
        let chain = chain.collect::<Result<Vec<_>, _>>().expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a version of TLS")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("the key of the certificate");
        let (config, asked) = (Arc::new(config), Arc::<Mutex<Vec<Request>>>::default());
        let all = Arc::clone(&asked);
        let server = Server::start(port, move |stream| {
            let session = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(session, stream);
            let request = read_request(&mut stream)?;
            all.lock().expect("requests").push(request.clone());
            say(&mut stream, answer(&request))
        });
        Self { server, asked }
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The URL of a claim there.
    #[must_use]
    pub fn url(&self, claim: &str) -> String {
        format!("https://localhost:{}/{claim}", self.port())
    }

    /// All requests so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().expect("requests").clone()
    }

    /// Waits until somebody has asked and is gone.
    pub fn wait(&self) {
        let _ = self.server.result();
    }
}

type Tls = StreamOwned<ServerConnection, TcpStream>;

fn read_request(stream: &mut Tls) -> io::Result<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).map_err(io::Error::other)?;
    let mut request = Request { head, body: Vec::new() };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    stream.read_exact(&mut request.body)?;
    Ok(request)
}

fn say(stream: &mut Tls, answer: Answer) -> io::Result<()> {
    match answer {
        Answer::Status(status, text) => {
            let length = text.len();
            write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{text}"
            )?;
        }
        Answer::Bytes(bytes) => stream.write_all(&bytes)?,
        Answer::Stall(bytes) => {
            stream.write_all(&bytes)?;
            stream.flush()?;
            let _ = io::copy(stream, &mut io::sink());
            return Ok(());
        }
        Answer::Endless(bytes) => {
            while stream.write_all(&bytes).is_ok() {}
            return Ok(());
        }
    }
    stream.conn.send_close_notify();
    stream.flush()
}

/// A claim token as a site of 1.8 writes it.
#[must_use]
pub fn claim_token(url: &str, ca: Option<&str>, password: &str, expires: Option<OffsetDateTime>) -> String {
    let name = url.rsplit('/').next().unwrap_or_default();
    let ca = ca.map(|pem| format!("  ca.crt: {}\n", STANDARD.encode(pem))).unwrap_or_default();
    let expires = expires.map(|moment| {
        let moment = moment.format(&Rfc3339).expect("a date of these days");
        format!("    skupper.io/claim-expiration: \"{moment}\"\n")
    });
    format!(
        r#"apiVersion: v1
data:
{ca}  password: {password}
kind: Secret
metadata:
  annotations:
{expires}    skupper.io/generated-by: {SITE}
    skupper.io/site-version: 1.8.7
    skupper.io/url: {url}
  creationTimestamp: null
  labels:
    skupper.io/type: token-claim
  name: {name}
  ownerReferences:
  - apiVersion: v1
    kind: ConfigMap
    name: skupper-site
    uid: {SITE}
"#,
        password = STANDARD.encode(password),
        expires = expires.unwrap_or_default(),
    )
}
