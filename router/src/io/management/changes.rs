//! CREATE, UPDATE and DELETE, carried out. None of them touches a connection that is there, but the one it is about.

use std::rc::Rc;

use moorline_amqp::Condition;
use moorline_definition::router_config::Entity;

use super::Node;
use crate::io::driver::Driver;
use crate::io::plan::{connector_plan, http_connector_plan, http_listener_plan, listener_plan};
use crate::io::problem::ServiceError;
use crate::io::tally::Cause;
use crate::management::types;
use crate::management::{Change, EntityType, Kind, Response, Source, Status};

/// What AMQP calls it (2.8.16).
const CONNECTION_FORCED: &str = "amqp:connection:forced";

impl Driver {
    /// Ends a connection: of an AMQP client, or a TCP connection of a service, which is reset at both ends.
    fn close_by_number(self: &Rc<Self>, number: u64) {
        const WHY: &str = "closed on a management request";
        let amqp = self.connections.borrow().iter().find(|(_, entry)| entry.number == number).map(|(id, _)| id);
        let flow = self.flows.borrow().iter().find(|(_, entry)| entry.number == number).map(|(id, _)| id);
        let http = self.http_connections.borrow().get(&number).cloned();
        if let Some(conn) = amqp {
            self.close_connection(conn, Some(Condition::new(CONNECTION_FORCED, WHY)));
        }
        if let Some(flow) = flow {
            self.blame(flow, Cause::Other);
            self.core(|router, now| router.handle_reset(flow, WHY.to_owned(), now));
        }
        if let Some(http) = http {
            http.cut();
        }
        tracing::info!(connection = number, "a connection is {WHY}");
    }
}

impl Node {
    /// Carries a change out and answers it.
    pub(super) async fn change(&self, change: Change) -> Result<Response, Response> {
        if self.driver.draining.get() {
            return Err(refused(ServiceError::Stopped));
        }
        match change {
            Change::Create(entity) => self.create(entity).await,
            Change::Update(entity) => self.update(entity),
            Change::Delete { kind, name } => self.delete(kind, &name),
            Change::Close(identity) => self.close(&identity),
        }
    }

    async fn create(&self, entity: Entity) -> Result<Response, Response> {
        let (kind, name) = match entity {
            Entity::TcpListener(bridge) => {
                let plan =
                    listener_plan(&bridge, &self.driver.profiles).map_err(ServiceError::from).map_err(refused)?;
                self.driver.add_free_listener(plan).await.map_err(refused)?;
                (Kind::TcpListener, bridge.name)
            }
            Entity::TcpConnector(bridge) => {
                let plan =
                    connector_plan(&bridge, &self.driver.profiles).map_err(ServiceError::from).map_err(refused)?;
                self.driver.add_connector(plan).map_err(refused)?;
                (Kind::TcpConnector, bridge.name)
            }
            Entity::HttpListener(bridge) => {
                let plan =
                    http_listener_plan(&bridge, &self.driver.profiles).map_err(ServiceError::from).map_err(refused)?;
                self.driver.add_free_http_listener(plan).await.map_err(refused)?;
                (Kind::HttpListener, bridge.name)
            }
            Entity::HttpConnector(bridge) => {
                let plan =
                    http_connector_plan(&bridge, &self.driver.profiles).map_err(ServiceError::from).map_err(refused)?;
                self.driver.add_http_connector(plan).map_err(refused)?;
                (Kind::HttpConnector, bridge.name)
            }
            Entity::Listener(listener) => {
                self.driver.add_listener_entity(&listener).await.map_err(refused)?;
                (Kind::Listener, listener.name)
            }
            Entity::Connector(connector) => {
                self.driver.add_connector_entity(&connector).map_err(refused)?;
                (Kind::Connector, connector.name)
            }
            Entity::Address(address) => (Kind::ConfigAddress, self.driver.add_address(address).map_err(refused)?),
            Entity::SslProfile(profile) => {
                self.driver.add_ssl_profile(&profile).map_err(refused)?;
                (Kind::SslProfile, profile.name)
            }
            other => return Err(not_served("CREATE", other.place().0)),
        };
        let record = self.facts().named(kind, &name);
        Ok(record.map_or_else(Response::deleted, |record| Response::created(&record)))
    }

    fn update(&self, entity: Entity) -> Result<Response, Response> {
        let (Entity::Log(level), Some(log)) = (&entity, &self.log) else {
            return Err(not_served("UPDATE", entity.place().0));
        };
        let bad = |why: String| Response::failed(Status::BadRequest, why);
        log.set_level(&level.module, &level.enable).map_err(bad)?;
        let mut config = self.driver.configured.borrow_mut();
        config.logs.retain(|known| known.module != level.module);
        config.logs.push(level.clone());
        Ok(Response::ok(types::log::log(level).to_map()))
    }

    fn delete(&self, kind: Kind, name: &str) -> Result<Response, Response> {
        match kind {
            Kind::TcpListener => self.driver.remove_listener(name).map_err(refused)?,
            Kind::TcpConnector => self.driver.remove_connector(name).map_err(refused)?,
            Kind::HttpListener => self.driver.remove_http_listener(name).map_err(refused)?,
            Kind::HttpConnector => self.driver.remove_http_connector(name).map_err(refused)?,
            Kind::Listener => self.driver.remove_listener_entity(name).map_err(refused)?,
            Kind::Connector => self.driver.remove_connector_entity(name).map_err(refused)?,
            Kind::ConfigAddress => self.driver.remove_address(name).map_err(refused)?,
            Kind::SslProfile => self.driver.remove_ssl_profile(name).map_err(refused)?,
            other => return Err(not_served("DELETE", EntityType::of(other).name)),
        }
        Ok(Response::deleted())
    }

    /// Closes a connection of any kind when this has been answered: it may be the one that asks.
    fn close(&self, identity: &str) -> Result<Response, Response> {
        let records = self.facts().records(Kind::Connection);
        let record = records.into_iter().find(|record| record.get("identity").as_str() == Some(identity));
        let (Some(record), Ok(number)) = (record, identity.parse()) else {
            return Err(Response::failed(Status::NotFound, format!("No entity with identity={identity}")));
        };
        let driver = Rc::clone(&self.driver);
        self.driver.spawn(async move { driver.close_by_number(number) });
        Ok(Response::ok(types::connection::closing(record).to_map()))
    }
}

fn refused(error: ServiceError) -> Response {
    let status = match error {
        ServiceError::Unknown { .. } => Status::NotFound,
        ServiceError::Exists { .. } | ServiceError::Problem(_) | ServiceError::Stopped => Status::BadRequest,
    };
    Response::failed(status, error.to_string())
}

fn not_served(operation: &str, kind: &str) -> Response {
    Response::failed(Status::NotImplemented, format!("{operation} of a {kind} is not served by this router"))
}
