//! A router in a container: podman and docker over their API sockets.
//!
//! [`Engine::find`] looks for the engine where its own command would, [`Engine::router_image`] makes an image out of one
//! static binary without any registry, and a [`Container`] is created, observed and removed by its exact name. What never
//! varies is not asked for: the host's network, a restart policy, a read-only root, no capabilities, no new privileges.
//!
//! Both engines are spoken to in docker's API, over bollard: podman serves it since version 2 and has in it all that is
//! needed here (user namespaces included). The crate podman-api, for podman's own API, would bring a second and older HTTP
//! stack for no call that is missed.
//!
//! The crate knows no secret: keys are files that stay on the host, owned by the user whose container it is.

mod container;
mod dialect;
mod endpoint;
mod engine;
mod fault;
mod image;
mod observed;
pub mod reboot;

pub use container::{BindMount, Container, ContainerName, HealthCheck, Owner, label};
pub use endpoint::{Address, Endpoint, Environment, Source, endpoints};
pub use engine::{Engine, Facts};
pub use fault::EngineFault;
pub use image::{BuiltImage, DEFAULT_REGISTRY, Image, PullProgress, network_image, router_image_name, sha256};
pub use observed::{Health, Lifecycle, Observed};

/// A container engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    Podman,
    Docker,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Podman => "podman",
            Kind::Docker => "docker",
        })
    }
}
