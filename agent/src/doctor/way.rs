//! What a definition needs: its ports, the servers behind its bindings, the way to the network.

use std::net::IpAddr;
use std::time::SystemTime;

use moorline_bundle::{Credentials, Purpose, expiry};
use moorline_definition::router_config::{ProxyProfile, RouterConfig};
use moorline_router::io::tls::TlsIdentity;
use moorline_router::io::{BindError, TrialStage, try_link, try_name, try_port, try_server};
use zeroize::Zeroizing;

use super::finding::Finding;
use crate::installation::wanted::Parts;
use crate::token_file::EXPIRES_SOON;

/// A gateway that could be.
pub(super) struct Way<'a> {
    pub(super) config: &'a RouterConfig,
    pub(super) credentials: &'a Credentials,
    /// Of the proxy in `config`, whose file may not be written yet.
    pub(super) proxy_password: Option<&'a Zeroizing<Vec<u8>>>,
    /// It is installed: a port that is taken may be so by its own router.
    pub(super) installed: bool,
}

impl<'a> Way<'a> {
    pub(super) fn of(parts: &'a Parts, installed: bool) -> Way<'a> {
        let Parts { config, credentials, proxy_password, .. } = parts;
        Way { config, credentials, proxy_password: proxy_password.as_ref(), installed }
    }

    /// The ports on which it would listen. Blocks.
    pub(super) fn ports(&self) -> Vec<Finding> {
        let config = self.config;
        let bridges = config.tcp_listeners.iter().map(|bridge| (&bridge.name, &bridge.host, bridge.port.clone()));
        let http = config.http_listeners.iter().map(|bridge| (&bridge.name, &bridge.host, bridge.port.clone()));
        let amqp = config.listeners.iter().map(|door| (&door.name, &door.host, door.port.to_string()));
        let all = bridges.chain(http).chain(amqp);
        all.map(|(name, host, port)| self.port(name, host.as_deref().unwrap_or_default(), &port)).collect()
    }

    fn port(&self, name: &str, host: &str, port: &str) -> Finding {
        let subject = format!("port {port}");
        let Ok(port) = port.parse() else {
            return Finding::warning(subject, format!("{name} has no number for a port"), "give it one");
        };
        match try_port(host, port) {
            Ok(()) => Finding::good(subject, format!("free for {name}")),
            Err(BindError::Occupied { .. }) if self.installed => {
                Finding::good(subject, format!("in use, by {name} it seems"))
            }
            Err(error @ BindError::Occupied { .. }) => {
                let remedy = format!("end that, or give {name} another port");
                Finding::bad(subject, format!("{error}, and {name} needs it"), remedy)
            }
            Err(error @ BindError::System { .. }) => {
                let remedy = match port < 1024 {
                    true => {
                        "ports below 1024 are for root: choose a higher one, or lower net.ipv4.ip_unprivileged_port_start"
                    }
                    false => "look at the address: it must be one of this host",
                };
                Finding::bad(subject, error.to_string(), remedy)
            }
            Err(error @ BindError::Host { .. }) => {
                Finding::bad(subject, error.to_string(), "name an address of this host")
            }
        }
    }

    /// The servers that its bindings name: a gateway runs without them, and its clients are refused.
    pub(super) async fn servers(&self) -> Vec<Finding> {
        let config = self.config;
        let tcp = config.tcp_connectors.iter().map(|bridge| (&bridge.address, bridge.host.as_deref(), &bridge.port));
        let http = config.http_connectors.iter().map(|bridge| (&bridge.address, bridge.host.as_deref(), &bridge.port));
        let mut findings = Vec::new();
        for (address, host, port) in tcp.chain(http) {
            let host = host.filter(|host| !host.is_empty()).unwrap_or("127.0.0.1");
            let subject = format!("server of {address}");
            let Ok(number) = port.parse() else { continue };
            findings.push(match try_server(host, number).await {
                Ok(peer) => Finding::good(subject, format!("{peer} answers")),
                Err(failure) => {
                    Finding::warning(subject, failure.to_string(), "start it: its clients are refused until then")
                }
            });
        }
        findings
    }

    /// The dates of the link's certificates.
    pub(super) fn certificates(&self) -> Finding {
        let (subject, now) = ("certificates of the link", SystemTime::now());
        if let Err(fault) = self.credentials.check(Purpose::Client, now) {
            let remedy = "compare this host's clock (`date`) with another's; if it is right, ask for a new token";
            return Finding::bad(subject, fault.to_string(), remedy);
        }
        let end = self.credentials.not_after();
        let words = format!("good until {}", expiry::rfc3339(end));
        match end < now + EXPIRES_SOON {
            true => Finding::warning(subject, words, "make a new token before, and `apply` with it"),
            false => Finding::good(subject, words),
        }
    }

    /// The way to the network.
    pub(super) async fn uplinks(&self) -> Vec<Finding> {
        let proxy = self.config.proxy_profiles.first().map(|profile| self.with_password(profile));
        let mut findings = Vec::new();
        for connector in &self.config.connectors {
            let (host, port) = (connector.host.as_str(), connector.port.as_str());
            let subject = format!("network {host}:{port}");
            let Ok(number) = port.parse() else { continue };
            // Behind a proxy the name is the proxy's to find. One that is not found is told by the attempt.
            if proxy.is_none()
                && host.parse::<IpAddr>().is_err()
                && let Ok(found) = try_name(host)
            {
                let found: Vec<String> = found.iter().map(ToString::to_string).collect();
                findings.push(Finding::good(format!("name {host}"), found.join(", ")));
            }
            findings.push(self.link(subject, host, number, proxy.as_ref()).await);
        }
        findings
    }

    async fn link(&self, subject: String, host: &str, port: u16, proxy: Option<&ProxyProfile>) -> Finding {
        let (ca, cert, key) = (self.credentials.ca_pem(), self.credentials.cert_pem(), self.credentials.key_pem());
        let identity = TlsIdentity::from_pem("token", ca.as_bytes(), Some((cert.as_bytes(), key.as_bytes())));
        let tried = match &identity {
            Ok(identity) => try_link(host, port, proxy, identity).await,
            Err(error) => return Finding::bad(subject, error.to_string(), "ask for a new token"),
        };
        let failure = match tried {
            Ok(peer) => {
                return Finding::good(subject, format!("a router answers at {peer}, and each accepts the other"));
            }
            Err(failure) => failure,
        };
        let remedy = match (failure.stage, proxy) {
            (TrialStage::Reach, None) => {
                "see that the name is right and no firewall is between; behind a proxy: --proxy"
            }
            (TrialStage::Reach | TrialStage::Proxy, _) => {
                "see that the proxy is right, and lets this host out to that port"
            }
            (TrialStage::Tls, _) => "see that the token is of this network and the clocks of both are right",
            (TrialStage::Router, _) => "see that the token names the network's port for edges",
        };
        Finding::bad(subject, failure.to_string(), remedy)
    }

    fn with_password(&self, profile: &ProxyProfile) -> ProxyProfile {
        let word = self.proxy_password.map(|bytes| String::from_utf8_lossy(bytes).trim_end().to_owned());
        let password = word.map(|word| format!("literal:{word}")).or_else(|| profile.password.clone());
        ProxyProfile { password, ..profile.clone() }
    }
}
