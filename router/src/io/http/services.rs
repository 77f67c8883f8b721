//! Adding and removing HTTP services while the router runs.

use std::rc::Rc;

use super::{HttpConnecting, HttpConnectorPlan, HttpListenerPlan, HttpListening};
use crate::io::driver::Driver;
use crate::io::listen::{TcpListening, listen_tcp};
use crate::io::problem::ServiceError;

/// Kinds, as the configuration names them.
const LISTENER: &str = "httpListener";
const CONNECTOR: &str = "httpConnector";

impl Driver {
    /// Adds an HTTP listener; its port opens when its service is reachable.
    pub(in crate::io) fn add_http_listener(self: &Rc<Self>, wanted: HttpListenerPlan) -> Result<(), ServiceError> {
        self.free_http_listener_name(&wanted.plan.name)?;
        let HttpListenerPlan { plan, target, tls, entity } = wanted;
        let port = Rc::new(TcpListening::new(plan.name.clone(), plan.address.clone(), target, tls));
        self.tell_of_added_in_vain(&plan.address);
        let listener = Rc::new(HttpListening::new(self, &plan, Rc::clone(&port)));
        self.http_listeners.borrow_mut().push(Rc::clone(&listener));
        self.configured.borrow_mut().http_listeners.push(entity);
        self.spawn(listen_tcp(Rc::clone(self), port, move |transport, peer| listener.accepted(transport, peer)));
        Ok(())
    }

    fn free_http_listener_name(&self, name: &str) -> Result<(), ServiceError> {
        if self.http_listeners.borrow().iter().any(|listener| listener.bridge.name == name) {
            return Err(ServiceError::Exists { kind: LISTENER, name: name.to_owned() });
        }
        Ok(())
    }

    /// Adds an HTTP listener whose port is free now.
    pub(in crate::io) async fn add_free_http_listener(
        self: &Rc<Self>,
        wanted: HttpListenerPlan,
    ) -> Result<(), ServiceError> {
        self.free_http_listener_name(&wanted.plan.name)?;
        self.port_is_free(format!("{LISTENER} {}", wanted.plan.name), &wanted.target).await?;
        self.add_http_listener(wanted)
    }

    /// Removes an HTTP listener: its port closes, requests that run may finish.
    pub(in crate::io) fn remove_http_listener(self: &Rc<Self>, name: &str) -> Result<(), ServiceError> {
        let at = self.http_listeners.borrow().iter().position(|listener| listener.bridge.name == name);
        let Some(at) = at else {
            return Err(ServiceError::Unknown { kind: LISTENER, name: name.to_owned() });
        };
        let listener = self.http_listeners.borrow_mut().remove(at);
        listener.close();
        self.configured.borrow_mut().http_listeners.retain(|entity| entity.name != name);
        Ok(())
    }

    /// Adds an HTTP connector; its address is announced when its server is reached.
    pub(in crate::io) fn add_http_connector(self: &Rc<Self>, wanted: HttpConnectorPlan) -> Result<(), ServiceError> {
        let HttpConnectorPlan { plan, target, entity } = wanted;
        if self.http_connectors.borrow().iter().any(|connector| connector.bridge.name == plan.name) {
            return Err(ServiceError::Exists { kind: CONNECTOR, name: plan.name });
        }
        self.tell_of_added_in_vain(&plan.address);
        let connector = Rc::new(HttpConnecting::new(self, &plan, target));
        self.http_connectors.borrow_mut().push(Rc::clone(&connector));
        self.configured.borrow_mut().http_connectors.push(entity);
        self.spawn(connector.run());
        Ok(())
    }

    /// Withdraws an HTTP connector: no new requests come, those that run go on.
    pub(in crate::io) fn remove_http_connector(self: &Rc<Self>, name: &str) -> Result<(), ServiceError> {
        let at = self.http_connectors.borrow().iter().position(|connector| connector.bridge.name == name);
        let Some(at) = at else {
            return Err(ServiceError::Unknown { kind: CONNECTOR, name: name.to_owned() });
        };
        let connector = self.http_connectors.borrow_mut().remove(at);
        connector.close();
        self.configured.borrow_mut().http_connectors.retain(|entity| entity.name != name);
        Ok(())
    }

    /// Tells, once, which services are in vain under a router of this version.
    pub(in crate::io) fn tell_of_http_in_vain(&self, version: Option<&str>) {
        let (listeners, connectors) = (self.http_listeners.borrow(), self.http_connectors.borrow());
        let bridges = listeners.iter().map(|l| &l.bridge).chain(connectors.iter().map(|c| &c.bridge));
        let addresses: Vec<&str> = bridges.map(|bridge| bridge.address.as_str()).collect();
        if let Some(text) = in_vain(version, &addresses).filter(|_| !self.told_of_http.replace(true)) {
            self.warn(text);
        }
    }

    /// The same for one that is added while the router is linked.
    fn tell_of_added_in_vain(&self, address: &str) {
        let uplinks = self.uplinks.status();
        let version = uplinks.iter().find_map(|uplink| uplink.peer.as_ref()?.version.as_deref());
        if let Some(text) = in_vain(version, &[address]) {
            self.warn(text);
        }
    }
}

/// What to say of these HTTP services under a router of this version: those of 3.x carry HTTP as TCP alone.
fn in_vain(version: Option<&str>, addresses: &[&str]) -> Option<String> {
    let version = version?;
    let major: u32 = version.split('.').next()?.parse().ok()?;
    (major >= 3 && !addresses.is_empty()).then(|| {
        let addresses = addresses.join(", ");
        format!(
            "the network's router {version} carries no http and http2 services, so these reach nobody: {addresses}; \
             use tcp for them, at both ends"
        )
    })
}
