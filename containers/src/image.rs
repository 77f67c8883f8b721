//! Images: the one that is made here out of one program, and those that others made.

mod archive;
mod elf;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_lc_rs::digest;
use bollard::errors::Error;
use bollard::models::CreateImageInfo;
use bollard::query_parameters as query;
use futures_util::StreamExt;

use crate::container::label;
use crate::fault::is_missing;
use crate::{Engine, EngineFault, Environment, Kind};

/// Where the network's own images come from.
pub const DEFAULT_REGISTRY: &str = "quay.io/skupper";

/// The name of images that are made here. No registry is called localhost, so nobody looks for them in one.
const REPOSITORY: &str = "localhost/moorline-router";

/// An image on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The engine's identity for it.
    pub id: String,
    /// Its names.
    pub tags: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its names in registries, by digest.
    pub digests: Vec<String>,
}

/// An image that was made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltImage {
    /// `localhost/moorline-router:` and the first 12 digits of the program's SHA-256.
    pub name: String,
    /// The engine's identity for it.
    pub id: String,
    /// Whether it was made now; else it was there.
    pub built: bool,
}

/// How far the fetching of an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullProgress {
    /// One part of it.
    Layer {
        /// The part.
        id: String,
        /// What is done with it, in the engine's words.
        status: String,
        /// Bytes that are done.
        current: u64,
        /// Bytes that there are; zero if that is not known.
        total: u64,
    },
    /// Anything else, in the engine's words.
    Message(String),
}

/// The name of the network's own router image: `QDROUTERD_IMAGE`, else `skupper-router:TAG` in `SKUPPER_IMAGE_REGISTRY`,
/// else in [`DEFAULT_REGISTRY`].
pub fn network_image(environment: &Environment, tag: &str) -> String {
    if let Some(image) = environment.variable("QDROUTERD_IMAGE") {
        return image.to_owned();
    }
    let registry = environment.variable("SKUPPER_IMAGE_REGISTRY").unwrap_or(DEFAULT_REGISTRY);
    format!("{}/skupper-router:{tag}", registry.trim_end_matches('/'))
}

/// The name of the image that [`Engine::router_image`] makes of a program.
pub fn router_image_name(binary: &[u8]) -> String {
    let digest = sha256(binary);
    format!("{REPOSITORY}:{}", digest.get(..12).unwrap_or(&digest))
}

impl Engine {
    /// The image called `name` on this host; `None` if there is none.
    pub async fn image(&self, name: &str) -> Result<Option<Image>, EngineFault> {
        match self.docker.inspect_image(name).await {
            Ok(said) => Ok(Some(Image {
                id: said.id.unwrap_or_default(),
                tags: said.repo_tags.unwrap_or_default(),
                labels: said.config.and_then(|config| config.labels).unwrap_or_default().into_iter().collect(),
                digests: said.repo_digests.unwrap_or_default(),
            })),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(EngineFault::of("look at the image", error)),
        }
    }

    /// An image that holds `binary` as `/moorline` and nothing else, made if it is not there.
    ///
    /// No registry is asked and nothing is fetched. The same program gives the same image everywhere. It must be a
    /// static ELF program for 64 bits.
    pub async fn router_image(&self, binary: &[u8]) -> Result<BuiltImage, EngineFault> {
        let architecture = elf::architecture(binary)?;
        let (digest, name) = (sha256(binary), router_image_name(binary));
        let ours = |image: &Image| image.labels.get(label::BINARY) == Some(&digest);
        if let Some(image) = self.image(&name).await?.filter(ours) {
            return Ok(BuiltImage { name, id: image.id, built: false });
        }
        let archive = archive::docker_archive(binary, architecture, &name, &digest);
        let options = query::ImportImageOptionsBuilder::new().quiet(true).build();
        let mut answers = Box::pin(self.docker.import_image(options, bollard::body_full(archive.into()), None));
        while let Some(answer) = answers.next().await {
            answer.map_err(|error| EngineFault::of("load the image", error))?;
        }
        let image = self.image(&name).await?.filter(ours).ok_or(EngineFault::Broken {
            operation: "load the image",
            cause: "it is not there afterwards".to_owned(),
        })?;
        Ok(BuiltImage { name, id: image.id, built: true })
    }

    /// Fetches an image from its registry, telling `progress` how far it is. Its name is whole, with the registry; without
    /// a tag it is the one called `latest`.
    pub async fn pull(&self, image: &str, progress: &mut dyn FnMut(PullProgress)) -> Result<Image, EngineFault> {
        let whole = with_tag(image);
        let options = query::CreateImageOptionsBuilder::new().from_image(&whole).build();
        let mut answers = Box::pin(self.docker.create_image(Some(options), None, None));
        while let Some(answer) = answers.next().await {
            let answer = answer.map_err(|error| refused(self.facts().kind, image, error))?;
            if let Some(message) = answer.error_detail.as_ref().and_then(|detail| detail.message.clone()) {
                return Err(refused(self.facts().kind, image, Error::DockerStreamError { error: message }));
            }
            if let Some(step) = step(answer) {
                progress(step);
            }
        }
        self.image(&whole).await?.ok_or_else(|| EngineFault::NoSuchImage { image: image.to_owned() })
    }

    /// Takes the name `name` away from an image, and the image with its last name. Returns whether there was one; an image
    /// in use stays.
    pub async fn remove_image(&self, name: &str) -> Result<bool, EngineFault> {
        match self.docker.remove_image(name, None::<query::RemoveImageOptions>, None).await {
            Ok(_) => Ok(true),
            Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(false),
            Err(error) => Err(EngineFault::of("remove the image", error)),
        }
    }
}

/// The SHA-256 of bytes, as 64 hexadecimal digits: for labels.
pub fn sha256(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Without a tag docker would fetch all that there are.
fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

fn step(answer: CreateImageInfo) -> Option<PullProgress> {
    let status = answer.status.unwrap_or_default();
    let bytes = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
    match (answer.id, answer.progress_detail) {
        (Some(id), Some(detail)) if detail.total.is_some() || detail.current.is_some() => {
            Some(PullProgress::Layer { id, status, current: bytes(detail.current), total: bytes(detail.total) })
        }
        (Some(id), _) if !status.is_empty() => Some(PullProgress::Layer { id, status, current: 0, total: 0 }),
        _ => Some(status.trim().to_owned()).filter(|status| !status.is_empty()).map(PullProgress::Message),
    }
}

/// The registry that an image's name means: its first part, if that can be a host, else docker's.
fn registry(image: &str) -> String {
    let first = image.split_once('/').map_or("", |(first, _)| first);
    if first.contains(['.', ':']) || first == "localhost" { first.to_owned() } else { "docker.io".to_owned() }
}

/// What the failure of a fetch means. Engines have no codes for it, only words.
fn refused(engine: Kind, image: &str, error: Error) -> EngineFault {
    let fault = EngineFault::of("fetch the image", error);
    let EngineFault::Rejected { message, .. } = &fault else { return fault };
    let lower = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let (image, message) = (image.to_owned(), message.clone());
    if has(&[
        "no such host",
        "dial tcp",
        "network is unreachable",
        "i/o timeout",
        "connection refused",
        "deadline exceeded",
        "server misbehaving",
        "temporary failure",
        "client.timeout",
        "tls handshake",
    ]) {
        EngineFault::Offline { registry: registry(&image), image, engine, message }
    } else if has(&[
        "denied",
        "unauthorized",
        "not found",
        "manifest unknown",
        "name unknown",
        "authentication required",
        "forbidden",
    ]) {
        EngineFault::PullDenied { image, message }
    } else {
        fault
    }
}
