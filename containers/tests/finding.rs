//! Where engines are looked for, and what is said when none is there.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use moorline_containers::{Address, Engine, EngineFault, Environment, Kind, Source, endpoints, network_image};

fn environment(uid: u32, home: Option<&Path>, variables: &[(&str, &str)]) -> Environment {
    let variables: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Environment { variables, home: home.map(Path::to_owned), uid }
}

fn found(kind: Kind, environment: &Environment) -> Vec<(String, Source)> {
    let all = endpoints(kind, environment).unwrap();
    all.into_iter().map(|endpoint| (endpoint.address.to_string(), endpoint.source)).collect()
}

fn usual(path: &str) -> (String, Source) {
    (format!("unix://{path}"), Source::Default)
}

#[test]
fn the_usual_places() {
    let user = environment(1001, None, &[]);
    assert_eq!(
        found(Kind::Podman, &user),
        [usual("/run/user/1001/podman/podman.sock"), usual("/run/podman/podman.sock")]
    );
    assert_eq!(found(Kind::Docker, &user), [usual("/run/user/1001/docker.sock"), usual("/run/docker.sock")]);
    let elsewhere = environment(1001, None, &[("XDG_RUNTIME_DIR", "/tmp/x")]);
    assert_eq!(found(Kind::Podman, &elsewhere)[0], usual("/tmp/x/podman/podman.sock"));
    let root = environment(0, None, &[("XDG_RUNTIME_DIR", "/run/user/0")]);
    assert_eq!(found(Kind::Podman, &root), [usual("/run/podman/podman.sock")]);
    assert_eq!(found(Kind::Docker, &root), [usual("/run/docker.sock")]);
}

#[test]
fn variables_say_where_alone() {
    let all = [
        ("CONTAINER_HOST", "unix:///a/podman.sock"),
        ("PODMAN_ENDPOINT", "/b/podman.sock"),
        ("DOCKER_HOST", "tcp://[::1]:2375"),
        ("DOCKER_CONTEXT", "nowhere"),
    ];
    let said = environment(1001, None, &all);
    assert_eq!(found(Kind::Podman, &said), [("unix:///a/podman.sock".into(), Source::Variable("CONTAINER_HOST"))]);
    assert_eq!(found(Kind::Docker, &said), [("tcp://[::1]:2375".into(), Source::Variable("DOCKER_HOST"))]);
    let less = environment(1001, None, &all[1..]);
    assert_eq!(found(Kind::Podman, &less), [("unix:///b/podman.sock".into(), Source::Variable("PODMAN_ENDPOINT"))]);
    for (host, word) in [
        ("ssh://user@host/run/podman.sock", "ssh"),
        ("unix://relative", "absolute"),
        ("tcp://host", "port"),
        ("tcp://127.0.0.1:many", "port is not a number"),
        ("tcp://engine.example:2375", "as a number"),
        ("npipe:////./pipe/docker", "supported"),
    ] {
        let fault = endpoints(Kind::Docker, &environment(1, None, &[("DOCKER_HOST", host)])).unwrap_err();
        assert!(matches!(fault, EngineFault::UnusableAddress { .. }), "{fault:?}");
        assert!(fault.to_string().contains("DOCKER_HOST") && fault.to_string().contains(word), "{fault}");
    }
    let local = environment(1, None, &[("DOCKER_HOST", "tcp://localhost:2375")]);
    assert_eq!(found(Kind::Docker, &local)[0].0, "tcp://127.0.0.1:2375");
    let secured = [("DOCKER_HOST", "tcp://127.0.0.1:2376"), ("DOCKER_TLS_VERIFY", "1")];
    let fault = endpoints(Kind::Docker, &environment(1, None, &secured)).unwrap_err();
    assert!(fault.to_string().contains("TLS"), "{fault}");
}

#[test]
fn contexts_of_docker() {
    let home = tempfile::tempdir().unwrap();
    let docker = home.path().join(".docker");
    // The directory's name is the SHA-256 of "lab".
    let meta = docker.join("contexts/meta/a51146d38077ff992eba84cf1d5e9b249073503eb74868699016153b031a38f7");
    fs::create_dir_all(&docker).unwrap();
    fs::write(docker.join("config.json"), r#"{"auths":{},"currentContext":"lab"}"#).unwrap();
    let plain = environment(1001, Some(home.path()), &[]);
    let fault = endpoints(Kind::Docker, &plain).unwrap_err();
    let EngineFault::UnknownContext { name, file } = fault else { panic!("{fault:?}") };
    assert_eq!(name, "lab");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    assert_eq!(file, meta.join("meta.json"));
    fs::write(&file, r#"{"Name":"lab","Endpoints":{"docker":{"Host":"unix:///lab.sock"}}}"#).unwrap();
    let lab = [("unix:///lab.sock".to_owned(), Source::Context("lab".into()))];
    assert_eq!(found(Kind::Docker, &plain), lab);
    assert_eq!(found(Kind::Podman, &plain).len(), 2, "podman has nothing to do with it");
    let default = environment(1001, Some(home.path()), &[("DOCKER_CONTEXT", "default")]);
    assert_eq!(found(Kind::Docker, &default).len(), 2);
    let elsewhere = environment(1001, None, &[("DOCKER_CONFIG", docker.to_str().unwrap())]);
    assert_eq!(found(Kind::Docker, &elsewhere), lab);
    fs::write(docker.join("config.json"), "{").unwrap();
    let fault = endpoints(Kind::Docker, &plain).unwrap_err();
    assert!(matches!(fault, EngineFault::UnreadableContext { .. }), "{fault:?}");
}

#[test]
fn the_networks_image() {
    let of = |variables: &[(&str, &str)]| network_image(&environment(1, None, variables), "2.7.3");
    assert_eq!(of(&[]), "quay.io/skupper/skupper-router:2.7.3");
    assert_eq!(of(&[("SKUPPER_IMAGE_REGISTRY", "r.example/x/")]), "r.example/x/skupper-router:2.7.3");
    assert_eq!(of(&[("SKUPPER_IMAGE_REGISTRY", "r"), ("QDROUTERD_IMAGE", "q/router:1")]), "q/router:1");
}

#[tokio::test]
async fn no_socket_says_what_starts_one() {
    let nowhere = tempfile::tempdir().unwrap();
    let directory = nowhere.path().to_str().unwrap();
    let variables = [("CONTAINER_HOST", format!("unix://{directory}/podman.sock"))];
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let fault = Engine::find(Kind::Podman, &environment(1001, None, &variables)).await.unwrap_err();
    assert!(matches!(fault, EngineFault::NoSocket { .. }), "{fault:?}");
    assert!(fault.to_string().contains("systemctl --user enable --now podman.socket"), "{fault}");
    assert!(fault.to_string().contains(directory), "{fault}");

    // The socket of an engine that is gone.
    let socket = nowhere.path().join("docker.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let host = format!("unix://{}", socket.display());
    let fault = Engine::find(Kind::Docker, &environment(0, None, &[("DOCKER_HOST", &host)])).await.unwrap_err();
    assert!(matches!(&fault, EngineFault::NoSocket { command, .. } if command.contains("docker")), "{fault:?}");
}

#[tokio::test]
async fn what_is_no_engine_is_told() {
    use tokio::io::AsyncWriteExt;
    let directory = tempfile::tempdir().unwrap();
    let socket: PathBuf = directory.path().join("sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"220 mail.example ESMTP\r\n").await;
        }
    });
    let endpoint =
        moorline_containers::Endpoint { kind: Kind::Docker, address: Address::Unix(socket), source: Source::Default };
    let fault = Engine::at(endpoint).await.unwrap_err();
    assert!(matches!(fault, EngineFault::NotAnEngine { .. }), "{fault:?}");
    server.abort();
}
