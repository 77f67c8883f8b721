//! Ports of the router itself, opened and closed while it runs: for AMQP, and for health and metrics.

use std::io;
use std::rc::Rc;

use moorline_definition::router_config::{Listener, SslProfile};
use tokio::task::JoinHandle;

use super::driver::Driver;
use super::listen::{AmqpListenPlan, open, serve_amqp, serve_local_amqp};
use super::local::SocketFile;
use super::plan::{DoorPlan, OpenDoor, Speaks, door_plan, local_clients, unserved, warnings};
use super::problem::{ServiceError, StartProblem};
use super::web::{self, Ports, Serves, Web, WebPlan};

/// Kinds, as the configuration names them.
const LISTENER: &str = "listener";
const SSL_PROFILE: &str = "sslProfile";
/// The sockets in the file system; listeners have no such names.
const STATUS: &str = "socket/status";
const MANAGEMENT: &str = "socket/management";

/// A port that is open.
#[derive(Debug)]
pub(super) enum Door {
    Amqp(JoinHandle<()>),
    /// Closes when it is dropped.
    Web {
        _open: Web,
    },
}

impl Driver {
    /// Serves a listener whose port is open.
    pub(super) fn open_door(self: &Rc<Self>, open: OpenDoor) -> io::Result<()> {
        let OpenDoor { plan: DoorPlan { name, tls, speaks, .. }, sockets } = open;
        let door = match speaks {
            Speaks::Amqp(spec) => {
                let plan = AmqpListenPlan { name: name.clone(), sockets, tls, spec };
                Door::Amqp(self.spawn(serve_amqp(Rc::clone(self), plan)))
            }
            Speaks::Http(serves) => self.serve_web(&name, Ports::Tcp(sockets, tls), serves)?,
        };
        self.doors.borrow_mut().insert(name, door);
        Ok(())
    }

    /// Serves the whole state to this host's user.
    pub(super) fn open_status_socket(self: &Rc<Self>, socket: SocketFile) -> io::Result<()> {
        let serves = Serves { health: true, metrics: true, status: true };
        let door = self.serve_web(STATUS, Ports::Local(socket), serves)?;
        self.doors.borrow_mut().insert(STATUS.to_owned(), door);
        Ok(())
    }

    /// Serves AMQP clients of this host's user.
    pub(super) fn open_management_socket(self: &Rc<Self>, socket: SocketFile) {
        let task = self.spawn(serve_local_amqp(Rc::clone(self), socket, local_clients()));
        self.doors.borrow_mut().insert(MANAGEMENT.to_owned(), Door::Amqp(task));
    }

    fn serve_web(&self, name: &str, ports: Ports, serves: Serves) -> io::Result<Door> {
        let plan = WebPlan { name: name.to_owned(), ports, serves };
        Ok(Door::Web { _open: web::serve(plan, self.asker.clone())? })
    }

    /// Closes all ports for AMQP; connections go on, and whoever asks for health is told of the drain.
    pub(super) fn close_doors(&self) {
        self.doors.borrow_mut().retain(|_, door| match door {
            Door::Amqp(task) => {
                task.abort();
                false
            }
            Door::Web { .. } => true,
        });
    }

    /// Opens the port of a new listener.
    pub(super) async fn add_listener_entity(self: &Rc<Self>, listener: &Listener) -> Result<(), ServiceError> {
        let entity = || format!("{LISTENER} {}", listener.name);
        let mode = self.configured.borrow().router.mode;
        if let Some(what) = unserved(listener, mode) {
            return Err(StartProblem::Unsupported { entity: entity(), what: what.to_owned() }.into());
        }
        let plan = door_plan(listener, &self.profiles)?;
        let opened = match plan.target.addresses().await {
            Ok(addresses) => open(&addresses),
            Err(error) => Err(error),
        };
        let sockets = opened.map_err(|source| StartProblem::Bind { entity: entity(), source })?;
        if self.draining.get() {
            return Err(ServiceError::Stopped);
        }
        if self.configured.borrow().listeners.iter().any(|known| known.name == listener.name) {
            return Err(ServiceError::Exists { kind: LISTENER, name: listener.name.clone() });
        }
        for warning in warnings(listener, &plan.target) {
            tracing::warn!("{warning}");
        }
        let opened = self.open_door(OpenDoor { plan, sockets });
        opened.map_err(|source| StartProblem::Thread { entity: entity(), source })?;
        self.configured.borrow_mut().listeners.push(listener.clone());
        Ok(())
    }

    /// Closes the port of a listener; its connections go on.
    pub(super) fn remove_listener_entity(&self, name: &str) -> Result<(), ServiceError> {
        let mut config = self.configured.borrow_mut();
        let before = config.listeners.len();
        config.listeners.retain(|listener| listener.name != name);
        if config.listeners.len() == before {
            return Err(ServiceError::Unknown { kind: LISTENER, name: name.to_owned() });
        }
        if let Some(Door::Amqp(task)) = self.doors.borrow_mut().remove(name) {
            task.abort();
        }
        Ok(())
    }

    /// Adds a profile whose files can be used now.
    pub(super) fn add_ssl_profile(&self, profile: &SslProfile) -> Result<(), ServiceError> {
        let mut config = self.configured.borrow_mut();
        let name = &profile.name;
        if config.ssl_profiles.iter().any(|known| known.name == *name) {
            return Err(ServiceError::Exists { kind: SSL_PROFILE, name: name.clone() });
        }
        let added = self.profiles.add(profile);
        added.map_err(|source| StartProblem::Tls { entity: format!("{SSL_PROFILE} {name}"), source })?;
        config.ssl_profiles.push(profile.clone());
        Ok(())
    }

    /// Removes a profile that nothing names.
    pub(super) fn remove_ssl_profile(&self, name: &str) -> Result<(), ServiceError> {
        let mut config = self.configured.borrow_mut();
        if !config.ssl_profiles.iter().any(|profile| profile.name == name) {
            return Err(ServiceError::Unknown { kind: SSL_PROFILE, name: name.to_owned() });
        }
        if let Some(user) = config.users_of(name).first() {
            let what = format!("it is in use by {user}");
            return Err(StartProblem::Unsupported { entity: format!("{SSL_PROFILE} {name}"), what }.into());
        }
        config.ssl_profiles.retain(|profile| profile.name != name);
        self.profiles.remove(name);
        Ok(())
    }
}
