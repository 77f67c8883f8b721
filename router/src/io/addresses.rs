//! How addresses are distributed, configured while the router runs.

use std::rc::Rc;

use moorline_definition::router_config::AddressEntity;

use super::driver::Driver;
use super::problem::{ServiceError, StartProblem};
use crate::core::Pattern;

/// The kind, as the configuration names it.
const ADDRESS: &str = "address";

impl Driver {
    /// Adds a rule for the addresses of messages to come. One without a name is given one, which is answered.
    pub(super) fn add_address(self: &Rc<Self>, mut entity: AddressEntity) -> Result<String, ServiceError> {
        let has =
            |name: &str| self.configured.borrow().addresses.iter().any(|known| known.name.as_deref() == Some(name));
        if let Some(name) = entity.name.clone().filter(|name| has(name)) {
            return Err(ServiceError::Exists { kind: ADDRESS, name });
        }
        let pattern = match &entity.pattern {
            Some(pattern) => Pattern::new(pattern),
            None => Pattern::prefix(&entity.prefix),
        };
        let multicast = entity.distribution == "multicast";
        let Some(number) = self.core(|router, _| router.add_distribution(pattern, multicast)) else {
            let entity = format!("{ADDRESS} {}", entity.means());
            return Err(
                StartProblem::Unsupported { entity, what: "there is one for the same addresses".to_owned() }.into()
            );
        };
        // As for those of a file, which count from 0.
        let made = (number - 1..).map(|n| format!("{ADDRESS}/{n}")).find(|name| !has(name));
        let name = entity.name.get_or_insert_with(|| made.unwrap_or_default()).clone();
        self.configured.borrow_mut().addresses.push(entity);
        self.address_numbers.borrow_mut().push(number);
        Ok(name)
    }

    /// Takes a rule back.
    pub(super) fn remove_address(self: &Rc<Self>, name: &str) -> Result<(), ServiceError> {
        let mut config = self.configured.borrow_mut();
        let Some(at) = config.addresses.iter().position(|known| known.name.as_deref() == Some(name)) else {
            return Err(ServiceError::Unknown { kind: ADDRESS, name: name.to_owned() });
        };
        config.addresses.remove(at);
        let number = self.address_numbers.borrow_mut().remove(at);
        self.core(|router, _| router.remove_distribution(number));
        Ok(())
    }
}
