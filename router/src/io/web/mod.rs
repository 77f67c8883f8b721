//! Health and metrics over HTTP, on a thread of their own: whoever scrapes takes no time from the data path but one
//! snapshot of the router's state.

mod answer;
mod page;
mod port;

use std::convert::Infallible;
use std::io;
use std::rc::Rc;

use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::handle::Command;
use answer::Answers;
pub(super) use answer::Serves;
pub use page::{Page, Pages};
pub(super) use port::Ports;
pub use port::WebPort;

/// Ports that answer HTTP, open.
#[derive(Debug)]
pub(super) struct WebPlan {
    pub(super) name: String,
    pub(super) ports: Ports,
    pub(super) serves: Serves,
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
        let WebPlan { name, ports, serves } = plan;
        let answers = Rc::new(Answers { router, serves });
        let tasks = LocalSet::new();
        tasks.block_on(&runtime, async {
            tokio::select! {
                // Never a value: the sender was dropped.
                _ = closed => {}
                Err(error) = WebPort::new(name.clone(), ports).serve(answers) => {
                    tracing::error!(listener = %name, %error, "health and metrics cannot be served");
                }
            }
        });
    })?;
    Ok(Web { _open: open })
}
