//! A socket in the file system that answers nobody but its owner and root.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::time::sleep;

use super::transport::Transport;

/// Wait after an error that the next accept would meet again.
const PAUSE: Duration = Duration::from_millis(200);
const ROOT: u32 = 0;

/// An open socket; its file goes when it is dropped.
#[derive(Debug)]
pub(in crate::io) struct SocketFile {
    listener: StdListener,
    path: PathBuf,
    /// Device and inode: a file that somebody put in its place stays.
    file: (u64, u64),
    owner: u32,
}

impl SocketFile {
    /// Opens it with mode 0600. What a process that is gone left there is replaced; a socket that answers is not.
    pub(in crate::io) fn open(path: &Path) -> io::Result<SocketFile> {
        remove_stale(path)?;
        let listener = StdListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        let found = fs::symlink_metadata(path)?;
        Ok(SocketFile { listener, path: path.to_owned(), file: (found.dev(), found.ino()), owner: found.uid() })
    }

    pub(in crate::io) fn owner(&self) -> u32 {
        self.owner
    }

    pub(in crate::io) fn path(&self) -> &Path {
        &self.path
    }

    /// For the runtime of this thread.
    pub(in crate::io) fn listener(&self) -> io::Result<UnixListener> {
        UnixListener::from_std(self.listener.try_clone()?)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file);
        if ours {
            // What cannot be removed is replaced by the next one.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket is there"))
        }
        Ok(_) => match StdStream::connect(path) {
            Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process serves it")),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
            Err(error) => Err(error),
        },
    }
}

/// A client's stream as connections take it. The system reads and writes a stream socket in one way whatever its family;
/// what is TCP's alone (delay, addresses) is not asked of this one.
pub(super) fn transport(stream: UnixStream) -> io::Result<Transport> {
    let stream = std::net::TcpStream::from(OwnedFd::from(stream.into_std()?));
    Ok(Transport::plain(TcpStream::from_std(stream)?))
}

/// The next client that may ask: the socket's owner, or root.
pub(in crate::io) async fn accept(listener: &UnixListener, owner: u32) -> UnixStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let user = stream.peer_cred().map(|peer| peer.uid()).ok();
                if user == Some(ROOT) || user == Some(owner) {
                    return stream;
                }
                tracing::warn!(user, "refused another user of this host at the router's own socket");
            }
            Err(error) => {
                tracing::debug!(%error, "accept failed");
                sleep(PAUSE).await;
            }
        }
    }
}
