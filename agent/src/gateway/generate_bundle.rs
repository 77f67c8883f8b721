//! `moorline gateway generate-bundle`: a gateway packed for another host.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;
use moorline_bundle::{Contents, LinkToken, ServiceProfile};
use moorline_definition::router_config::{GatewayOptions, Uplink, from_definition};

use crate::cli::closing;
use crate::definition_file::DefinitionArguments;
use crate::failure::{Blame, Failure};
use crate::hub::issue::{IssueArguments, Issuer};
use crate::installation::wanted::{Certificates, read_service_certificates};
use crate::output::say;
use crate::{host, token_file};

/// Where the bundle's files are on the host that it is launched on, in the words of Skupper's scripts.
const DIRECTORY: &str = "${QDR_CONF_DIR}";
const HOST_NAME: &str = "${HOSTNAME}";
const SITE_ID: &str = "${ROUTER_ID}";

/// Pack a gateway for another host: NAME.tar.gz with everything that is needed there
///
/// The archive holds the definition, the router's configuration, the certificates, this program, and scripts that launch
/// and remove the gateway: unpack it there and run `sh ./launch.py`. Whoever has it can link to the network in the
/// gateway's name: it is readable by its owner alone, and should be so wherever it goes.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline gateway generate-bundle database.yaml . --token db.token",
    "moorline gateway generate-bundle database.yaml . --host hub.example.com      on the machine of a hub",
))]
pub(crate) struct Arguments {
    #[command(flatten)]
    definition: DefinitionArguments,

    /// The directory to write the archive to
    #[arg(value_name = "DIR")]
    directory: PathBuf,

    /// The link token that the gateway shall have; each gateway needs one of its own
    ///
    /// [default: a certificate for this gateway alone, by the hub of this machine]
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["host", "port", "state_dir"])]
    token: Option<PathBuf>,

    #[command(flatten)]
    hub: IssueArguments,

    /// Leave this program out: moorline must be installed on the other host
    #[arg(long)]
    without_program: bool,
}

/// Where the gateway's link comes from.
enum Source {
    Token(Box<LinkToken>),
    Hub(Box<Issuer>),
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let file = self.definition.read();
        file.show();
        let source = self.source();
        let Some(definition) = file.definition() else {
            if let Err(failure) = source {
                failure.show();
            }
            return Err(Failure::InputShown);
        };
        let source = source?;
        if !self.directory.is_dir() {
            return Err(Failure::Input(anyhow!("{} is not a directory", self.directory.display())));
        }
        let name = definition.name.as_str();
        let (token, issuer) = match source {
            Source::Token(token) => (*token, None),
            Source::Hub(issuer) => (issuer.issue(name)?, Some(issuer)),
        };
        let uplink = Uplink { host: token.edge.host().to_owned(), port: token.edge.port().to_string() };
        let options = GatewayOptions {
            hostname: HOST_NAME.to_owned(),
            site_id: SITE_ID.to_owned(),
            version: host::SKUPPER_VERSION.to_owned(),
            platform: "kubernetes".to_owned(),
            config_dir: DIRECTORY.to_owned(),
        };
        let config = from_definition(definition, &uplink, &options);
        let profiles = profiles(read_service_certificates(&config, &file.credentials_dir)?)?;
        let program = match self.without_program {
            true => None,
            false => Some(fs::read("/proc/self/exe").context("this program cannot be read").or_runtime()?),
        };
        let contents = Contents {
            name,
            uplink: &token.edge,
            credentials: &token.credentials,
            service_profiles: &profiles,
            router_config: &config.to_json(),
            unit: &unit(name),
            definition: file.text(),
            program: program.as_deref(),
            version: env!("CARGO_PKG_VERSION"),
            skupper_version: host::SKUPPER_VERSION,
        };
        let path = contents.write_to(&self.directory).or_runtime()?;
        say(format_args!("Skupper gateway bundle written to '{}'", path.display()));
        issuer.map_or(Ok(()), |issuer| issuer.advise())
    }

    fn source(&self) -> Result<Source, Failure> {
        let Some(path) = &self.token else {
            let issuer = self.hub.issuer().map_err(|failure| match failure {
                Failure::Input(error) => {
                    Failure::Input(error.context("there is no --token, and no hub to ask for one"))
                }
                other => other,
            });
            return Ok(Source::Hub(Box::new(issuer?)));
        };
        let token = token_file::read(path)?;
        token_file::warn(path, &token);
        Ok(Source::Token(Box::new(token)))
    }
}

/// The certificates of services, one profile a folder.
fn profiles(certificates: Certificates) -> Result<Vec<ServiceProfile>, Failure> {
    let mut profiles: Vec<ServiceProfile> = Vec::new();
    let folder = |path: &str| path.split_once('/').map(|(folder, _)| folder.to_owned()).unwrap_or_default();
    let mut names: Vec<String> = certificates.iter().map(|(path, _)| folder(path)).collect();
    names.dedup();
    for name in names {
        let file = |file: &str| {
            let path = format!("{name}/{file}");
            certificates.iter().find(|(known, _)| *known == path).map(|(_, bytes)| bytes.clone())
        };
        let ca = file("ca.crt").ok_or_else(|| Failure::Input(anyhow!("{name}: a bundle needs its ca.crt too")))?;
        let pair = file("tls.crt").map(|bytes| bytes.to_vec()).zip(file("tls.key"));
        profiles.push(ServiceProfile { name, ca_crt: ca.to_vec(), pair });
    }
    Ok(profiles)
}

/// The unit in Skupper's form, for its tools; `launch` makes one for the host that it runs on.
fn unit(name: &str) -> String {
    format!(
        "[Unit]\nDescription=Moorline gateway {name}\n\n[Service]\nType=simple\n\
         ExecStart=${{QDR_BIN_PATH}} -c ${{QDR_CONF_DIR}}/config/skrouterd.json\n\n[Install]\nWantedBy=default.target\n"
    )
}
