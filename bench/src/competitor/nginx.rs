//! nginx with its stream module: two hops like those of haproxy, two workers each.

use std::path::Path;

use anyhow::Result;
use moorline_tests::ports::free_port;
use moorline_tests::scratch::Scratch;
use nix::sys::signal::Signal;

use super::{Competitor, Ports, Shape, Site, installed, text};
use crate::chain::{Chain, Hop};

/// Where Debian keeps the module. Elsewhere it may be part of the program.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

pub(super) fn competitor() -> Competitor {
    let found = installed("nginx", "-v").and_then(|found| {
        if Path::new(MODULE).exists() { Ok(found) } else { Err("nginx has no stream module".to_owned()) }
    });
    let version = found.clone().map(|(_, version)| version);
    let make = move |site: &Site, shape: Shape, ports: Ports| -> Result<Option<Chain>> {
        let (Ok((program, _)), Shape::Two) = (&found, shape) else { return Ok(None) };
        let home = site.home()?;
        let (entry, Ports { target, listens, connects }) = (free_port(), ports);
        let files = |who: &str, prefix: &str| {
            let (crt, key) = (text(&home.join(&format!("{who}/tls.crt"))), text(&home.join(&format!("{who}/tls.key"))));
            format!("{prefix}_certificate {crt}; {prefix}_certificate_key {key}; {prefix}_protocols TLSv1.3;")
        };
        let ca = text(&home.join("server/ca.crt"));
        let near_client = format!(
            "listen 127.0.0.1:{entry}; proxy_pass 127.0.0.1:{connects}; proxy_ssl on; proxy_ssl_verify on; \
             proxy_ssl_name localhost; proxy_ssl_trusted_certificate {ca}; {}",
            files("client", "proxy_ssl"),
        );
        let near_server = format!(
            "listen 127.0.0.1:{listens} ssl; proxy_pass 127.0.0.1:{target}; ssl_verify_client on; \
             ssl_client_certificate {ca}; {}",
            files("server", "ssl"),
        );
        let near_client = Some(hop(program, &home, "interior", &near_client));
        let near_server = Some(hop(program, &home, "edge", &near_server));
        Ok(Some(Chain { entries: vec![entry], near_server, near_client, home: Some(home), ..Chain::default() }))
    };
    Competitor { name: "nginx", version, make: Box::new(make) }
}

fn hop(program: &Path, home: &Scratch, name: &'static str, server: &str) -> Hop {
    let config = format!(
        "load_module {MODULE};\ndaemon off;\nworker_processes 2;\nworker_rlimit_nofile 18000;\npid {pid};\n\
         error_log stderr error;\nevents {{ worker_connections 17500; }}\n\
         stream {{ proxy_timeout 1h; server {{ {server} }} }}\n",
        pid = text(&home.join(&format!("{name}.pid"))),
    );
    let file = home.write(&format!("{name}.conf"), &config);
    // Its workers are its own to end.
    Hop::new(name, program).argument("-e").argument("stderr").argument("-c").argument(file).ended_by(Signal::SIGTERM)
}
