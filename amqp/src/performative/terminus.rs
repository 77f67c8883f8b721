//! Source (3.5.3), target (3.5.4), and the coordinator that may stand for a target (4.5.1).

use super::Terminus;
use crate::codec::DecodeError;
use crate::codec::descriptor::{COORDINATOR, SOURCE, TARGET};
use crate::codec::encode::{ListWriter, put_descriptor, put_list, put_string, put_symbols};
use crate::codec::read::Reader;

impl Terminus {
    pub(super) fn encode_source(&self, default_policy: &str, out: &mut Vec<u8>) {
        put_descriptor(out, SOURCE);
        put_list(out, |list| {
            self.encode_common(default_policy, list);
            // dynamic-node-properties, distribution-mode, filter, default-outcome, outcomes
            list.nulls(5);
            self.encode_capabilities(list);
        });
    }

    pub(super) fn encode_target(&self, default_policy: &str, out: &mut Vec<u8>) {
        put_descriptor(out, TARGET);
        put_list(out, |list| {
            self.encode_common(default_policy, list);
            // dynamic-node-properties
            list.nulls(1);
            self.encode_capabilities(list);
        });
    }

    fn encode_common(&self, default_policy: &str, list: &mut ListWriter<'_>) {
        list.option(self.address.as_deref(), put_string);
        list.uint(0);
        list.symbol(Some(self.expiry_policy.as_deref().unwrap_or(default_policy)));
        list.uint(0);
        list.flag(self.dynamic);
    }

    fn encode_capabilities(&self, list: &mut ListWriter<'_>) {
        let capabilities = Some(&self.capabilities).filter(|capabilities| !capabilities.is_empty());
        list.option(capabilities, |out, capabilities| put_symbols(out, capabilities));
    }

    /// Reads a terminus: which kind it is follows from its descriptor.
    pub(super) fn decode(encoded: &[u8]) -> Result<Terminus, DecodeError> {
        let mut reader = Reader::new(encoded);
        let before_capabilities = match reader.descriptor()? {
            SOURCE => 5,
            TARGET => 1,
            COORDINATOR => return Ok(Terminus { coordinator: true, ..Terminus::default() }),
            _ => return Err(DecodeError("a terminus is neither source nor target nor coordinator")),
        };
        let mut fields = reader.list()?;
        let address = fields.text()?.map(str::to_owned);
        fields.skip(1)?;
        let expiry_policy = fields.text()?.map(str::to_owned);
        fields.skip(1)?;
        let dynamic = fields.flag()?;
        fields.skip(before_capabilities)?;
        Ok(Terminus { address, dynamic, capabilities: fields.symbols()?, expiry_policy, coordinator: false })
    }
}
