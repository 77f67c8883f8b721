//! A tunnel through an HTTP proxy.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use moorline_definition::router_config::ProxyProfile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connect::{CONNECT_LIMIT, connect};
use super::resolve::host_port;

/// Time for the proxy to reach the other end and to say so.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// More than this is no answer to `CONNECT`.
const LONGEST_ANSWER: usize = 8 * 1024;

/// A `proxyProfile`, checked.
pub(super) struct Proxy {
    host: String,
    port: u16,
    username: Option<String>,
    password: Password,
}

/// Where the password is. It is looked up for each attempt, so that a new one needs no restart.
enum Password {
    None,
    Word(String),
    File(PathBuf),
    Variable(String),
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the password.
        f.debug_struct("Proxy").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Why there is no tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProxyFailure {
    /// The proxy, or the other end behind it, is not there.
    Absent(String),
    /// The proxy says no.
    Refused(String),
}

impl fmt::Display for ProxyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProxyFailure::Absent(words) | ProxyFailure::Refused(words) => f.write_str(words),
        }
    }
}

impl Proxy {
    pub(super) fn new(profile: &ProxyProfile, port: u16) -> Proxy {
        Proxy {
            host: profile.host.clone(),
            port,
            username: profile.username.clone().filter(|name| !name.is_empty()),
            password: Password::new(profile.password.as_deref().unwrap_or_default()),
        }
    }

    /// A stream to `host` and `port` through the proxy.
    pub(super) async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, ProxyFailure> {
        let request = self.request(&host_port(host, port))?;
        let connected = connect(&self.host, self.port, CONNECT_LIMIT).await;
        let (mut stream, _) = connected.map_err(|failure| ProxyFailure::Absent(format!("no proxy: {failure}")))?;
        let place = host_port(&self.host, self.port);
        let answer = timeout(ANSWER_LIMIT, async {
            stream.write_all(request.as_bytes()).await?;
            read_answer(&mut stream).await
        });
        let lost = |cause: String| ProxyFailure::Absent(format!("the proxy {place} {cause}"));
        let answer = match answer.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(lost(format!("went away: {error}"))),
            Err(_) => return Err(lost("did not answer in time".to_owned())),
        };
        judge(&answer).map(|()| stream).map_err(|failure| match failure {
            ProxyFailure::Absent(words) => ProxyFailure::Absent(format!("the proxy {place} {words}")),
            ProxyFailure::Refused(words) => ProxyFailure::Refused(format!("the proxy {place} {words}")),
        })
    }

    fn request(&self, authority: &str) -> Result<String, ProxyFailure> {
        let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(username) = &self.username {
            let password = self.password.word()?;
            let credentials = BASE64_STANDARD.encode(format!("{username}:{password}"));
            request.push_str(&format!("Proxy-Authorization: Basic {credentials}\r\n"));
        }
        request.push_str("\r\n");
        Ok(request)
    }
}

impl Password {
    fn new(text: &str) -> Password {
        match text.split_once(':') {
            _ if text.is_empty() => Password::None,
            Some(("file", path)) => Password::File(path.into()),
            Some(("env", name)) => Password::Variable(name.to_owned()),
            Some(("pass" | "literal", word)) => Password::Word(word.to_owned()),
            _ => Password::Word(text.to_owned()),
        }
    }

    fn word(&self) -> Result<String, ProxyFailure> {
        match self {
            Password::None => Ok(String::new()),
            Password::Word(word) => Ok(word.clone()),
            Password::File(path) => std::fs::read_to_string(path)
                .map(|word| word.trim_end_matches(['\r', '\n']).to_owned())
                .map_err(|error| ProxyFailure::Refused(format!("cannot read the proxy's password: {error}"))),
            Password::Variable(name) => std::env::var(name)
                .map_err(|_| ProxyFailure::Refused(format!("the proxy's password: ${name} is not set"))),
        }
    }
}

/// Reads the head of the answer and nothing behind it, which belongs to the tunnel.
async fn read_answer(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut seen = vec![0; LONGEST_ANSWER];
    while answer.len() < LONGEST_ANSWER {
        let n = stream.peek(&mut seen[..LONGEST_ANSWER - answer.len()]).await?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let before = answer.len();
        answer.extend_from_slice(&seen[..n]);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        let wanted = end.unwrap_or(answer.len()) - before;
        stream.read_exact(&mut seen[..wanted]).await?;
        if let Some(end) = end {
            answer.truncate(end);
            return Ok(answer);
        }
    }
    Err(std::io::Error::other("its answer is too long"))
}

fn judge(answer: &[u8]) -> Result<(), ProxyFailure> {
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line: String = String::from_utf8_lossy(line).chars().filter(|c| !c.is_control()).take(100).collect();
    let mut words = line.splitn(3, ' ');
    let is_http = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
    let status = words.next().and_then(|status| status.parse::<u16>().ok()).filter(|_| is_http);
    let reason = words.next().unwrap_or_default();
    match status {
        Some(200..=299) => Ok(()),
        Some(407) => Err(ProxyFailure::Refused("asks for other credentials (407)".to_owned())),
        Some(status @ 502..=504) => Err(ProxyFailure::Absent(format!("cannot reach the other end: {status} {reason}"))),
        Some(status) => Err(ProxyFailure::Refused(format!("refuses the connection: {status} {reason}"))),
        None => Err(ProxyFailure::Refused("does not speak HTTP".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged_by_their_first_line() {
        assert_eq!(judge(b"HTTP/1.1 200 Connection established\r\n\r\n"), Ok(()));
        assert_eq!(judge(b"HTTP/1.0 200\r\n\r\n"), Ok(()));
        let refused = |answer: &[u8]| matches!(judge(answer), Err(ProxyFailure::Refused(_)));
        for answer in
            ["HTTP/1.1 403 Forbidden\r\n\r\n", "HTTP/1.1 407 Who\r\n\r\n", "SSH-2.0\r\n\r\n", "", "HTTP/1.1 abc\r\n"]
        {
            assert!(refused(answer.as_bytes()), "{answer:?}");
        }
        let absent = judge(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").unwrap_err();
        assert_eq!(absent, ProxyFailure::Absent("cannot reach the other end: 502 Bad Gateway".to_owned()));
    }

    #[test]
    fn credentials_are_sent_and_never_shown() {
        let profile = ProxyProfile {
            username: Some("me".to_owned()),
            password: Some("literal:secret:word".to_owned()),
            ..ProxyProfile::default()
        };
        let proxy = Proxy::new(&profile, 3128);
        let request = proxy.request("[::1]:5671").unwrap();
        assert!(request.starts_with("CONNECT [::1]:5671 HTTP/1.1\r\nHost: [::1]:5671\r\n"), "{request}");
        assert!(request.ends_with("Proxy-Authorization: Basic bWU6c2VjcmV0OndvcmQ=\r\n\r\n"), "{request}");
        assert!(!format!("{proxy:?} {profile:?}").contains("secret"));
    }
}
