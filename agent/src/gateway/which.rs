//! Which gateway a command is about, when its definition is not named.

use anyhow::anyhow;
use clap::Args;
use moorline_definition::GatewayName;

use crate::completion;
use crate::failure::{Blame, Failure};
use crate::host;
use crate::installation::home::Home;
use crate::installation::installed;

/// The gateway, by its name.
#[derive(Debug, Default, Args)]
pub(crate) struct WhichArguments {
    /// The gateway
    ///
    /// [default: HOSTNAME-USER, as Skupper calls it; where that is not installed, the only one that is]
    #[arg(long, value_name = "NAME", add = completion::gateways())]
    gateway: Option<GatewayName>,
}

impl WhichArguments {
    /// The one that is meant, whether or not it is there.
    pub(super) fn name(&self) -> Result<GatewayName, Failure> {
        match &self.gateway {
            Some(name) => Ok(name.clone()),
            None => choose(default_name()?, &installed()?),
        }
    }

    /// One that is there.
    pub(crate) fn home(&self) -> Result<Home, Failure> {
        let name = self.name()?;
        let home = Home::of(name.as_str())?;
        if home.record().exists() { Ok(home) } else { Err(not_installed(&name)) }
    }
}

/// In words that name the next step.
pub(super) fn not_installed(name: &GatewayName) -> Failure {
    Failure::Input(anyhow!(
        "gateway {:?} is not installed: `moorline gateway init --token TOKEN` installs it",
        name.as_str()
    ))
}

fn choose(default: GatewayName, installed: &[String]) -> Result<GatewayName, Failure> {
    match installed {
        [only] if *only != default.as_str() => Ok(only.parse().unwrap_or(default)),
        several if several.len() > 1 && !several.iter().any(|name| *name == default.as_str()) => {
            Err(Failure::Input(anyhow!("say which gateway with --gateway NAME: {}", several.join(", "))))
        }
        _ => Ok(default),
    }
}

/// `HOSTNAME-USER`, made fit to name a unit.
pub(super) fn default_name() -> Result<GatewayName, Failure> {
    fit(&format!("{}-{}", host::name(), host::user_name()))
}

fn fit(name: &str) -> Result<GatewayName, Failure> {
    let kept = name.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase());
    let plain: String = kept.map(|c| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '-' }).collect();
    let mut plain = plain.trim_matches(['-', '.']).to_owned();
    if !plain.starts_with(|c: char| c.is_ascii_lowercase()) {
        plain.insert_str(0, "gateway-");
    }
    plain.truncate(GatewayName::LONGEST);
    let plain = plain.trim_end_matches(['-', '.']);
    plain.parse::<GatewayName>().or_input()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_fit() {
        for (name, expected) in [
            ("machine-user", "machine-user"),
            ("DB01.Example.com-Jane Doe", "db01.example.com-janedoe"),
            ("9f3c-root", "gateway-9f3c-root"),
            ("my_host-svc_user", "my-host-svc-user"),
            ("-", "gateway"),
            (&"x".repeat(300), &"x".repeat(GatewayName::LONGEST)),
        ] {
            assert_eq!(fit(name).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn the_only_one_is_meant() {
        let name = |text: &str| text.parse::<GatewayName>().unwrap();
        let choose = |installed: &[&str]| {
            let installed: Vec<String> = installed.iter().map(|name| (*name).to_owned()).collect();
            choose(name("host-user"), &installed).ok().map(|name| name.to_string())
        };
        assert_eq!(choose(&[]), Some("host-user".to_owned()));
        assert_eq!(choose(&["db"]), Some("db".to_owned()));
        assert_eq!(choose(&["db", "host-user"]), Some("host-user".to_owned()));
        assert_eq!(choose(&["db", "web"]), None);
    }
}
