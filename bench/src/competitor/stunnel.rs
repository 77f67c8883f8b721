//! stunnel: a client and a server of it, each with a thread for a connection.

use anyhow::Result;
use moorline_tests::ports::free_port;
use moorline_tests::scratch::Scratch;

use super::{Competitor, Ports, Shape, Site, installed, text};
use crate::chain::{Chain, Hop};

pub(super) fn competitor() -> Competitor {
    let found = installed("stunnel4", "-version").or_else(|_| installed("stunnel", "-version"));
    let version = found.clone().map(|(_, version)| version);
    let make = move |site: &Site, shape: Shape, ports: Ports| -> Result<Option<Chain>> {
        let (Ok((program, _)), Shape::Two) = (&found, shape) else { return Ok(None) };
        let home = site.home()?;
        let (entry, Ports { target, listens, connects }) = (free_port(), ports);
        let hop = |name: &'static str, who: &str, lines: &str| {
            let file = home.write(&format!("{name}.conf"), &config(&home, who, lines));
            Hop::new(name, program).argument(file)
        };
        let near_client = hop(
            "interior",
            "client",
            &format!(
                "client = yes\naccept = 127.0.0.1:{entry}\nconnect = 127.0.0.1:{connects}\ncheckHost = localhost\n"
            ),
        );
        let near_server =
            hop("edge", "server", &format!("accept = 127.0.0.1:{listens}\nconnect = 127.0.0.1:{target}\n"));
        Ok(Some(Chain {
            entries: vec![entry],
            near_server: Some(near_server),
            near_client: Some(near_client),
            home: Some(home),
            ..Chain::default()
        }))
    };
    Competitor { name: "stunnel", version, make: Box::new(make) }
}

fn config(home: &Scratch, who: &str, lines: &str) -> String {
    let file = |name: &str| text(&home.join(name));
    format!(
        "foreground = yes\npid =\ndebug = warning\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n[hop]\n{lines}\
         sslVersion = TLSv1.3\nverifyChain = yes\nCAfile = {}\ncert = {}\nkey = {}\n",
        file("server/ca.crt"),
        file(&format!("{who}/tls.crt")),
        file(&format!("{who}/tls.key")),
    )
}
