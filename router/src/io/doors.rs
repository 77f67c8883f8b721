//! AMQP listeners, opened and closed while the router runs.

use std::rc::Rc;

use moorline_definition::router_config::{Listener, SslProfile};

use super::driver::Driver;
use super::listen::{AmqpListenPlan, open, serve_amqp};
use super::plan::{amqp_listener_plan, open_to_all, unserved};
use super::problem::{ServiceError, StartProblem};

/// Kinds, as the configuration names them.
const LISTENER: &str = "listener";
const SSL_PROFILE: &str = "sslProfile";

impl Driver {
    /// Serves a listener whose port is open.
    pub(super) fn open_door(self: &Rc<Self>, plan: AmqpListenPlan) {
        let name = plan.name.clone();
        let door = self.spawn(serve_amqp(Rc::clone(self), plan));
        self.doors.borrow_mut().insert(name, door);
    }

    /// Closes all ports of AMQP listeners; connections go on.
    pub(super) fn close_doors(&self) {
        for door in std::mem::take(&mut *self.doors.borrow_mut()).into_values() {
            door.abort();
        }
    }

    /// Opens the port of a new listener.
    pub(super) async fn add_amqp_listener(self: &Rc<Self>, listener: &Listener) -> Result<(), ServiceError> {
        let entity = || format!("{LISTENER} {}", listener.name);
        let mode = self.configured.borrow().router.mode;
        if let Some(what) = unserved(listener, mode) {
            return Err(StartProblem::Unsupported { entity: entity(), what: what.to_owned() }.into());
        }
        let (target, plan) = amqp_listener_plan(listener, &self.profiles)?;
        let opened = match target.addresses().await {
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
        if let Some(warning) = open_to_all(listener, &target) {
            tracing::warn!("{warning}");
        }
        self.open_door(AmqpListenPlan { sockets, ..plan });
        self.configured.borrow_mut().listeners.push(listener.clone());
        Ok(())
    }

    /// Closes the port of a listener; its connections go on.
    pub(super) fn remove_amqp_listener(&self, name: &str) -> Result<(), ServiceError> {
        let mut config = self.configured.borrow_mut();
        let before = config.listeners.len();
        config.listeners.retain(|listener| listener.name != name);
        if config.listeners.len() == before {
            return Err(ServiceError::Unknown { kind: LISTENER, name: name.to_owned() });
        }
        if let Some(door) = self.doors.borrow_mut().remove(name) {
            door.abort();
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
