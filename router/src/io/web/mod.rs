//! Health and metrics over HTTP, on a thread of their own: whoever scrapes takes no time from the data path but one
//! snapshot of the router's state.

mod answer;

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Builder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use super::handle::Command;
use super::hyper_stream::HyperStream;
use super::listen::{SETUP_LIMIT, Sockets, secure};
use super::local::{self, SocketFile};
use super::stream::Stream;
use super::tls::Live;
use answer::Answers;
pub(super) use answer::Serves;

/// Connections at once; more wait in the backlog.
const MOST_CONNECTIONS: usize = 32;
/// A connection ends after this time; scrapers make a new one.
const CONNECTION_LIMIT: Duration = Duration::from_secs(60);

/// Ports that answer HTTP, open.
#[derive(Debug)]
pub(super) struct WebPlan {
    pub(super) name: String,
    pub(super) ports: Ports,
    pub(super) serves: Serves,
}

/// Where clients come from.
#[derive(Debug)]
pub(super) enum Ports {
    /// A `listener` with `http: true`.
    Tcp(Vec<TcpListener>, Option<Arc<Live<ServerConfig>>>),
    /// A socket in the file system, for its owner alone.
    Local(SocketFile),
}

/// Ports that are served; they close when it is dropped.
#[derive(Debug)]
pub(super) struct Web {
    _open: oneshot::Sender<Infallible>,
}

/// Begins to serve. `router` is asked, and not kept alive.
pub(super) fn serve(plan: WebPlan, router: mpsc::WeakSender<Command>) -> io::Result<Web> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (open, closed) = oneshot::channel::<Infallible>();
    std::thread::Builder::new().name("web".to_owned()).spawn(move || {
        let answers = Answers { router, serves: plan.serves };
        let tasks = LocalSet::new();
        tasks.block_on(&runtime, async {
            tokio::select! {
                // Never a value: the sender was dropped.
                _ = closed => {}
                Err(error) = accept(&plan.name, plan.ports, answers) => {
                    tracing::error!(listener = %plan.name, %error, "health and metrics cannot be served");
                }
            }
        });
    })?;
    Ok(Web { _open: open })
}

/// Serves clients until it is dropped.
async fn accept(name: &str, ports: Ports, answers: Answers) -> io::Result<Infallible> {
    let answers = Rc::new(answers);
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    match ports {
        Ports::Tcp(sockets, tls) => {
            let mut sockets = Sockets::new(name, sockets)?;
            tracing::info!(listener = %name, sockets = ?sockets.addresses(), tls = tls.is_some(), "HTTP listening");
            loop {
                let slot = slot(&slots).await;
                let (stream, peer) = sockets.accept().await;
                let (name, tls, answers) = (name.to_owned(), tls.clone(), Rc::clone(&answers));
                spawn_local(async move {
                    let deadline = Instant::now() + SETUP_LIMIT;
                    if let Some(transport) = secure(&name, peer, stream, tls.as_deref(), deadline).await {
                        converse(Stream::new(transport), answers).await;
                    }
                    drop(slot);
                });
            }
        }
        Ports::Local(file) => {
            let listener = file.listener()?;
            tracing::info!(socket = %file.path().display(), "HTTP listening");
            loop {
                let slot = slot(&slots).await;
                let stream = local::accept(&listener, file.owner()).await;
                let answers = Rc::clone(&answers);
                spawn_local(async move {
                    converse(stream, answers).await;
                    drop(slot);
                });
            }
        }
    }
}

async fn slot(slots: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    // The semaphore is never closed.
    Arc::clone(slots).acquire_owned().await.ok()
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin + 'static>(stream: S, answers: Rc<Answers>) {
    let service = service_fn(move |request| {
        let answers = Rc::clone(&answers);
        async move { Ok::<_, Infallible>(answers.answer(&request).await) }
    });
    let connection = http1::Builder::new().serve_connection(HyperStream(stream), service);
    // A client that breaks off, or never ends, is nobody's loss.
    let _ = timeout(CONNECTION_LIMIT, connection).await;
}
