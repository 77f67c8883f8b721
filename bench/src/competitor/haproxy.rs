//! haproxy: a hop at the client that speaks mutual TLS to a hop at the server, a TLS connection for each of the client's.

use anyhow::Result;
use moorline_tests::ports::free_port;

use super::{Competitor, Ports, Shape, Site, installed, text};
use crate::chain::{Chain, Hop};

const COMMON: &str = "
global
  nbthread 2
  maxconn 9500
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-server-options ssl-min-ver TLSv1.3
defaults
  mode tcp
  maxconn 9500
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen hop
";

pub(super) fn competitor() -> Competitor {
    let found = installed("haproxy", "-v");
    let version = found.clone().map(|(_, version)| version);
    let make = move |site: &Site, shape: Shape, ports: Ports| -> Result<Option<Chain>> {
        let Ok((program, _)) = &found else { return Ok(None) };
        let home = site.home()?;
        let hop = |name: &'static str, lines: &str| {
            let file = home.write(&format!("{name}.cfg"), &format!("{COMMON}{lines}"));
            Hop::new(name, program).argument("-db").argument("-f").argument(file)
        };
        let (entry, Ports { target, listens, connects }) = (free_port(), ports);
        let place = |name| text(&home.join(name));
        let (ca, server, client) = (place("server/ca.crt"), place("server.pem"), place("client.pem"));
        Ok(match shape {
            Shape::One => {
                let lines = format!("  bind 127.0.0.1:{entry}\n  server next 127.0.0.1:{target}\n");
                let near_server = Some(hop("edge", &lines));
                Some(Chain { entries: vec![entry], near_server, home: Some(home), ..Chain::default() })
            }
            Shape::Two => {
                let near_client = hop(
                    "interior",
                    &format!(
                        "  bind 127.0.0.1:{entry}\n  server next 127.0.0.1:{connects} ssl verify required ca-file {ca} \
                         crt {client} verifyhost localhost\n"
                    ),
                );
                let near_server = hop(
                    "edge",
                    &format!(
                        "  bind 127.0.0.1:{listens} ssl crt {server} verify required ca-file {ca}\n  \
                         server next 127.0.0.1:{target}\n"
                    ),
                );
                Some(Chain {
                    entries: vec![entry],
                    near_server: Some(near_server),
                    near_client: Some(near_client),
                    home: Some(home),
                    ..Chain::default()
                })
            }
            Shape::Many(_) => None,
        })
    };
    Competitor { name: "haproxy", version, make: Box::new(make) }
}
