//! An image as a file that both engines load: `manifest.json`, a configuration, and one layer, in a tar.
//!
//! Nothing of this host or this hour goes into it: the same program gives the same bytes.

use serde_json::json;
use tar::{Builder, EntryType, Header};

use super::sha256;
use crate::container::label;

/// Where the program is in the image.
const PROGRAM: &str = "moorline";
/// No time of its own: 1970.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// The archive of an image called `name` that holds `binary`, whose SHA-256 is `digest`.
pub(super) fn docker_archive(binary: &[u8], architecture: &str, name: &str, digest: &str) -> Vec<u8> {
    let layer = layer(binary);
    let layer_digest = sha256(&layer);
    let configuration = json!({
        "architecture": architecture,
        "os": "linux",
        "created": CREATED,
        "config": {
            "Entrypoint": [format!("/{PROGRAM}")],
            "WorkingDir": "/",
            "Labels": { label::BINARY: digest },
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_digest}")] },
        "history": [{ "created": CREATED, "created_by": "moorline" }],
    })
    .to_string();
    let (configuration_file, layer_file) =
        (format!("{}.json", sha256(configuration.as_bytes())), format!("{layer_digest}/layer.tar"));
    let manifest = json!([{ "Config": configuration_file, "RepoTags": [name], "Layers": [layer_file] }]).to_string();
    let mut archive = Archive::default();
    archive.directory(&layer_digest, 0o755);
    archive.file(&layer_file, 0o644, &layer);
    archive.file(&configuration_file, 0o644, configuration.as_bytes());
    archive.file("manifest.json", 0o644, manifest.as_bytes());
    archive.finish()
}

/// The files of the image. The empty directories are those that engines put files of their own into.
fn layer(binary: &[u8]) -> Vec<u8> {
    let mut layer = Archive::default();
    for directory in ["dev", "etc", "proc", "run", "sys"] {
        layer.directory(directory, 0o755);
    }
    layer.directory("tmp", 0o1777);
    layer.file(PROGRAM, 0o755, binary);
    layer.finish()
}

/// A tar in memory, where writing does not fail.
struct Archive(Builder<Vec<u8>>);

impl Default for Archive {
    fn default() -> Archive {
        Archive(Builder::new(Vec::new()))
    }
}

impl Archive {
    fn directory(&mut self, path: &str, mode: u32) {
        self.entry(&format!("{path}/"), EntryType::Directory, mode, &[]);
    }

    fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, EntryType::Regular, mode, content);
    }

    fn entry(&mut self, path: &str, kind: EntryType, mode: u32, content: &[u8]) {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(content.len() as u64);
        // All paths are ours and short, and a vector takes everything: this is for the type alone.
        let _ = self.0.append_data(&mut header, path, content);
    }

    fn finish(self) -> Vec<u8> {
        self.0.into_inner().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn the_same_program_gives_the_same_bytes_and_the_layer_holds_it() {
        let archive = docker_archive(b"program", "amd64", "localhost/x:1", "d1");
        assert_eq!(archive, docker_archive(b"program", "amd64", "localhost/x:1", "d1"));
        assert_ne!(archive, docker_archive(b"another", "amd64", "localhost/x:1", "d2"));
        let mut files = std::collections::BTreeMap::new();
        for entry in tar::Archive::new(archive.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            files.insert(entry.path().unwrap().display().to_string(), content);
        }
        let manifest: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        assert_eq!(manifest[0]["RepoTags"][0], "localhost/x:1");
        let configuration = &files[manifest[0]["Config"].as_str().unwrap()];
        let configuration: serde_json::Value = serde_json::from_slice(configuration).unwrap();
        assert_eq!(configuration["config"]["Labels"][label::BINARY], "d1");
        let layer = &files[manifest[0]["Layers"][0].as_str().unwrap()];
        assert_eq!(configuration["rootfs"]["diff_ids"][0], format!("sha256:{}", sha256(layer)));
        let mut program = Vec::new();
        let mut layer = tar::Archive::new(layer.as_slice());
        let found =
            layer.entries().unwrap().find(|entry| entry.as_ref().unwrap().path().unwrap().as_os_str() == PROGRAM);
        let mut last = found.unwrap().unwrap();
        assert_eq!(last.header().mode().unwrap(), 0o755);
        last.read_to_end(&mut program).unwrap();
        assert_eq!(program, b"program");
    }
}
