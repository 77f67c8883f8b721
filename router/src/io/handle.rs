//! What the rest of the program holds of a running router.

use std::sync::Arc;
use std::time::Duration;

use moorline_definition::router_config::{HttpBridge, TcpBridge};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::drain::Drained;
use super::event::Event;
use super::http::{HttpConnectorPlan, HttpListenerPlan};
use super::plan::{
    ConnectorPlan, ListenerPlan, connector_plan, http_connector_plan, http_listener_plan, listener_plan,
};
use super::problem::ServiceError;
use super::status::RouterStatus;
use super::tls::Profiles;

/// How the router thread ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It was drained.
    Drained,
    /// A fault of ours; the router must be started again.
    Failed(String),
}

/// A wish of the handle.
pub(super) enum Command {
    Status(oneshot::Sender<RouterStatus>),
    AddListener(ListenerPlan, Answer),
    RemoveListener(String, Answer),
    AddConnector(ConnectorPlan, Answer),
    RemoveConnector(String, Answer),
    AddHttpListener(HttpListenerPlan, Answer),
    RemoveHttpListener(String, Answer),
    AddHttpConnector(HttpConnectorPlan, Answer),
    RemoveHttpConnector(String, Answer),
    RenewCertificates,
    Drain(Duration, oneshot::Sender<Drained>),
}

pub(super) type Answer = oneshot::Sender<Result<(), ServiceError>>;

/// A running router. Cheap to clone; when the last handle is dropped the router ends, and cuts what is open.
#[derive(Debug, Clone)]
pub struct RouterHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) ending: watch::Receiver<Option<Ending>>,
    pub(super) profiles: Arc<Profiles>,
}

impl RouterHandle {
    /// All that is known now.
    ///
    /// # Errors
    /// [`ServiceError::Stopped`] when the router has ended.
    pub async fn status(&self) -> Result<RouterStatus, ServiceError> {
        self.ask(Command::Status).await
    }

    /// Adds a service of the network on a local port; the port must be free.
    ///
    /// # Errors
    /// When the name is taken or the service cannot be served.
    pub async fn add_tcp_listener(&self, bridge: &TcpBridge) -> Result<(), ServiceError> {
        let plan = listener_plan(bridge, &self.profiles)?;
        self.ask(|answer| Command::AddListener(plan, answer)).await?
    }

    /// Closes the port of a service; its connections go on.
    ///
    /// # Errors
    /// When there is none of the name.
    pub async fn remove_tcp_listener(&self, name: &str) -> Result<(), ServiceError> {
        self.ask(|answer| Command::RemoveListener(name.to_owned(), answer)).await?
    }

    /// Makes a local server available on the network.
    ///
    /// # Errors
    /// When the name is taken or the service cannot be served.
    pub async fn add_tcp_connector(&self, bridge: &TcpBridge) -> Result<(), ServiceError> {
        let plan = connector_plan(bridge, &self.profiles)?;
        self.ask(|answer| Command::AddConnector(plan, answer)).await?
    }

    /// Withdraws a local server from the network; its connections go on.
    ///
    /// # Errors
    /// When there is none of the name.
    pub async fn remove_tcp_connector(&self, name: &str) -> Result<(), ServiceError> {
        self.ask(|answer| Command::RemoveConnector(name.to_owned(), answer)).await?
    }

    /// Adds an HTTP service of the network on a local port; the port must be free.
    ///
    /// # Errors
    /// When the name is taken or the service cannot be served.
    pub async fn add_http_listener(&self, bridge: &HttpBridge) -> Result<(), ServiceError> {
        let plan = http_listener_plan(bridge, &self.profiles)?;
        self.ask(|answer| Command::AddHttpListener(plan, answer)).await?
    }

    /// Closes the port of an HTTP service; requests that run may finish.
    ///
    /// # Errors
    /// When there is none of the name.
    pub async fn remove_http_listener(&self, name: &str) -> Result<(), ServiceError> {
        self.ask(|answer| Command::RemoveHttpListener(name.to_owned(), answer)).await?
    }

    /// Makes a local HTTP server available on the network.
    ///
    /// # Errors
    /// When the name is taken or the service cannot be served.
    pub async fn add_http_connector(&self, bridge: &HttpBridge) -> Result<(), ServiceError> {
        let plan = http_connector_plan(bridge, &self.profiles)?;
        self.ask(|answer| Command::AddHttpConnector(plan, answer)).await?
    }

    /// Withdraws a local HTTP server from the network; requests that run go on.
    ///
    /// # Errors
    /// When there is none of the name.
    pub async fn remove_http_connector(&self, name: &str) -> Result<(), ServiceError> {
        self.ask(|answer| Command::RemoveHttpConnector(name.to_owned(), answer)).await?
    }

    /// Looks at all certificate files now, as is done from time to time.
    ///
    /// # Errors
    /// [`ServiceError::Stopped`] when the router has ended.
    pub async fn renew_certificates(&self) -> Result<(), ServiceError> {
        self.commands.send(Command::RenewCertificates).await.map_err(|_| ServiceError::Stopped)
    }

    /// Accepts nothing new, lets open connections finish within `limit`, closes AMQP in good order and ends the router.
    ///
    /// Asked a second time it takes the earlier of both deadlines.
    ///
    /// # Errors
    /// [`ServiceError::Stopped`] when the router has ended already.
    pub async fn drain(&self, limit: Duration) -> Result<Drained, ServiceError> {
        let drained = self.ask(|answer| Command::Drain(limit, answer)).await?;
        self.ended().await;
        Ok(drained)
    }

    /// What happens from now on. A slow reader loses the oldest events, never the router's time.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Waits for the end of the router.
    pub async fn ended(&self) -> Ending {
        let mut ending = self.ending.clone();
        let gone = Ending::Failed("the router thread ended without a word".to_owned());
        match ending.wait_for(Option::is_some).await {
            Ok(ending) => ending.clone().unwrap_or(gone),
            Err(_) => gone,
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, ServiceError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.commands.send(command(answer)).await;
        sent.map_err(|_| ServiceError::Stopped)?;
        answered.await.map_err(|_| ServiceError::Stopped)
    }
}
