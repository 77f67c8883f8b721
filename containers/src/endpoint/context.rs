//! docker's contexts: named endpoints in files of the user.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Environment;
use crate::EngineFault;
use crate::image::sha256;

/// The name and address of the context that docker would use; `None`: none is chosen.
pub(super) fn current(environment: &Environment) -> Result<Option<(String, String)>, EngineFault> {
    let Some(directory) = directory(environment) else { return Ok(None) };
    let name = match environment.variable("DOCKER_CONTEXT") {
        Some(name) => Some(name.to_owned()),
        None => read(&directory.join("config.json"))?.and_then(|config| text(&config, "/currentContext")),
    };
    // "default" is the absence of a context.
    let Some(name) = name.filter(|name| !name.is_empty() && name != "default") else { return Ok(None) };
    let file = directory.join("contexts/meta").join(sha256(name.as_bytes())).join("meta.json");
    let unknown = || EngineFault::UnknownContext { name: name.clone(), file: file.clone() };
    let context = read(&file)?.ok_or_else(unknown)?;
    let host = text(&context, "/Endpoints/docker/Host").ok_or_else(unknown)?;
    Ok(Some((name, host)))
}

fn directory(environment: &Environment) -> Option<PathBuf> {
    let configured = environment.variable("DOCKER_CONFIG").map(PathBuf::from);
    configured.or_else(|| Some(environment.home.as_ref()?.join(".docker")))
}

fn text(document: &Value, pointer: &str) -> Option<String> {
    document.pointer(pointer)?.as_str().map(str::to_owned)
}

/// The document in `file`; `None` if there is no such file.
fn read(file: &Path) -> Result<Option<Value>, EngineFault> {
    let unreadable = |cause: String| EngineFault::UnreadableContext { file: file.to_owned(), cause };
    match fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|cause| unreadable(cause.to_string())),
        Err(cause) if matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(cause) => Err(unreadable(cause.to_string())),
    }
}
