//! The HTTP proxy that a gateway's link goes through.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use moorline_bundle::Endpoint;
use moorline_definition::router_config::{ProxyProfile, RouterConfig};

use crate::failure::Failure;

const PROFILE: &str = "proxy";

/// Which proxy, and who we are to it.
#[derive(Debug, Default, Args)]
pub(crate) struct ProxyArguments {
    /// Link to the network through an HTTP proxy: http://HOST:PORT or http://USER@HOST:PORT
    ///
    /// The proxy opens a tunnel with CONNECT and sees nothing of what is in it. The variables of the environment that
    /// other programs take a proxy from are not looked at.
    #[arg(long, value_name = "URL", value_parser = parse)]
    proxy: Option<Proxy>,

    /// Where the password of the proxy's USER is: the first line of a file
    #[arg(long, value_name = "FILE", requires = "proxy")]
    proxy_password_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Proxy {
    user: Option<String>,
    host: String,
    port: u16,
}

impl ProxyArguments {
    /// The proxy as it was given, without a password.
    pub(crate) fn url(&self) -> Option<String> {
        let Proxy { user, host, port } = self.proxy.as_ref()?;
        let user = user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        Some(format!("http://{user}{host}:{port}"))
    }

    /// The proxy of an earlier command line, as [`Self::url`] told it, with its password where that was kept.
    pub(crate) fn recorded(url: Option<&str>, password: Option<PathBuf>) -> Result<Self, Failure> {
        let proxy = url.map(parse).transpose().map_err(|why| Failure::Runtime(anyhow!("the recorded proxy: {why}")))?;
        Ok(Self { proxy_password_file: password.filter(|_| proxy.is_some()), proxy })
    }

    /// Puts the proxy before the uplink.
    pub(crate) fn apply(&self, config: &mut RouterConfig) -> Result<(), Failure> {
        let Some(profile) = self.profile()? else { return Ok(()) };
        config.proxy_profiles.push(profile);
        for connector in &mut config.connectors {
            connector.proxy_profile = Some(PROFILE.to_owned());
        }
        Ok(())
    }

    /// The proxy as the router takes it; none when none was given.
    pub(crate) fn profile(&self) -> Result<Option<ProxyProfile>, Failure> {
        let Some(proxy) = &self.proxy else { return Ok(None) };
        let password = match &self.proxy_password_file {
            None => None,
            Some(_) if proxy.user.is_none() => {
                return Err(Failure::Input(anyhow!(
                    "--proxy-password-file needs a user: --proxy http://USER@HOST:PORT"
                )));
            }
            Some(file) => {
                let file = std::path::absolute(file).ok().and_then(|file| file.to_str().map(str::to_owned));
                let file =
                    file.ok_or_else(|| Failure::Input(anyhow!("--proxy-password-file: the path must be UTF-8")))?;
                Some(format!("file:{file}"))
            }
        };
        Ok(Some(ProxyProfile {
            name: PROFILE.to_owned(),
            host: proxy.host.clone(),
            port: proxy.port.to_string(),
            username: proxy.user.clone(),
            password,
            ..ProxyProfile::default()
        }))
    }
}

fn parse(text: &str) -> Result<Proxy, String> {
    let place = text.strip_prefix("http://").ok_or("it must begin with http://")?;
    let place = place.strip_suffix('/').unwrap_or(place);
    let (user, place) = match place.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, place),
    };
    if user.is_some_and(|user| user.contains(':')) {
        return Err("everybody on this host can see a password here: use --proxy-password-file".to_owned());
    }
    let (host, port) = place.rsplit_once(':').ok_or("it must end with a port")?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().map_err(|_| "its port must be 1 to 65535".to_owned())?;
    Endpoint::new(host, port).map_err(|fault| fault.to_string())?;
    Ok(Proxy { user: user.filter(|user| !user.is_empty()).map(str::to_owned), host: host.to_owned(), port: port.get() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_proxies() {
        let parsed = |text| parse(text).map(|proxy| (proxy.user, proxy.host, proxy.port));
        assert_eq!(parsed("http://proxy.example:3128"), Ok((None, "proxy.example".to_owned(), 3128)));
        assert_eq!(parsed("http://me@[::1]:3128/"), Ok((Some("me".to_owned()), "::1".to_owned(), 3128)));
        for wrong in ["proxy:3128", "https://proxy:3128", "http://proxy", "http://proxy:0", "http://:1", "http://a b:1"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("http://me:secret@proxy:3128").unwrap_err().contains("--proxy-password-file"));
    }
}
