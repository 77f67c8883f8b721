//! A registry of one image: as much as engines ask of one, over plain HTTP, on the loopback of whoever runs it.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use moorline_containers::sha256;
use serde_json::{Value, json};

const REPOSITORY: &str = "network/router";
const TAG: &str = "2.7";
const INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIGURATION: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// What is there, by path: its type and its bytes.
type Documents = BTreeMap<String, (&'static str, Vec<u8>)>;

pub(crate) struct Registry {
    address: SocketAddr,
    /// The layer that the image has.
    layer: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    /// Serves, until this process ends, an image for this machine that holds `program` as `/moorline`.
    pub(crate) fn serve(program: &[u8]) -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (documents, layer) = image(program);
        let (documents, asked) = (Arc::new(documents), Arc::new(Mutex::new(Vec::new())));
        let said = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (documents, said) = (documents.clone(), said.clone());
                // An engine that goes away in the middle is its own affair.
                thread::spawn(move || answer(stream, &documents, &said));
            }
        });
        Registry { address, layer, asked }
    }

    /// The whole name of its image.
    pub(crate) fn image(&self) -> String {
        self.named(&format!("{REPOSITORY}:{TAG}"))
    }

    /// The whole name of what would be called `name` here.
    pub(crate) fn named(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// How often the image's layer was fetched.
    pub(crate) fn fetched(&self) -> usize {
        let wanted = format!("GET {}", self.layer);
        self.asked.lock().unwrap().iter().filter(|asked| **asked == wanted).count()
    }
}

/// The documents of the image, and the path of its layer.
fn image(program: &[u8]) -> (Documents, String) {
    let mut layer = tar::Builder::new(Vec::new());
    for directory in ["dev", "etc", "proc", "run", "sys", "tmp"] {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        layer.append_data(&mut header, format!("{directory}/"), io::empty()).unwrap();
    }
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o755);
    header.set_size(program.len() as u64);
    layer.append_data(&mut header, "moorline", program).unwrap();
    let layer = layer.into_inner().unwrap();

    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let configuration = json!({
        "architecture": architecture,
        "os": "linux",
        "config": { "Entrypoint": ["/moorline"], "WorkingDir": "/" },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))] },
    });
    let mut documents = Documents::new();
    let configuration = keep(&mut documents, "blobs", CONFIGURATION, configuration.to_string().into());
    let layer = keep(&mut documents, "blobs", LAYER, layer);
    let path = format!("/v2/{REPOSITORY}/blobs/{}", layer["digest"].as_str().unwrap());
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": configuration, "layers": [layer] });
    let mut manifest = keep(&mut documents, "manifests", MANIFEST, manifest.to_string().into());
    manifest["platform"] = json!({ "architecture": architecture, "os": "linux" });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest] }).to_string();
    keep(&mut documents, "manifests", INDEX, index.clone().into());
    documents.insert(format!("/v2/{REPOSITORY}/manifests/{TAG}"), (INDEX, index.into()));
    documents.insert("/v2/".into(), ("application/json", "{}".into()));
    (documents, path)
}

/// Puts a document under its digest, and says how others refer to it.
fn keep(documents: &mut Documents, place: &str, media: &'static str, bytes: Vec<u8>) -> Value {
    let (digest, size) = (format!("sha256:{}", sha256(&bytes)), bytes.len());
    documents.insert(format!("/v2/{REPOSITORY}/{place}/{digest}"), (media, bytes));
    json!({ "mediaType": media, "digest": digest, "size": size })
}

/// One request, one answer.
fn answer(mut stream: TcpStream, documents: &Documents, asked: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut request = BufReader::new(stream.try_clone()?);
    // Engines try TLS first, and take this for a no.
    if !request.fill_buf()?.first().is_some_and(u8::is_ascii_uppercase) {
        return stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n");
    }
    let mut head = Vec::new();
    for line in request.lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let mut words = head.first().map_or("", String::as_str).split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    asked.lock().unwrap().push(format!("{method} {path}"));
    let (code, message) = if path.starts_with(&format!("/v2/{REPOSITORY}/")) {
        ("MANIFEST_UNKNOWN", "manifest unknown")
    } else {
        ("NAME_UNKNOWN", "repository name not known to registry")
    };
    let unknown = ("application/json", json!({ "errors": [{ "code": code, "message": message }] }).to_string().into());
    let (status, (media, bytes)) = match documents.get(path) {
        Some(document) => ("200 OK", document),
        None => ("404 Not Found", &unknown),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nDocker-Distribution-Api-Version: registry/2.0\r\nDocker-Content-Digest: sha256:{}\r\n\
         Content-Type: {media}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        sha256(bytes),
        bytes.len()
    )?;
    if method == "GET" { stream.write_all(bytes) } else { Ok(()) }
}
