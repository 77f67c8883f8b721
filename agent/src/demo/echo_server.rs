//! The demo's server: greets, then sends everything back.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// What it says first, before the client says anything.
pub(super) const GREETING: &str = "Hello from the far side of the network. What you send comes back.\n";

/// Serves on a free port of this machine until the runtime ends. Answers where.
pub(super) async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client));
        }
    });
    Ok(address)
}

/// To the client's end of stream. A client that goes away sooner is none of our business.
async fn serve(mut client: TcpStream) -> io::Result<()> {
    client.write_all(GREETING.as_bytes()).await?;
    let (mut from, mut to) = client.split();
    tokio::io::copy(&mut from, &mut to).await?;
    to.shutdown().await
}
