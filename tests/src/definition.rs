//! Gateway definitions, written as a person writes them.

use std::fmt::Write as _;

/// A definition under construction.
#[derive(Debug, Clone)]
pub struct Definition {
    name: String,
    bindings: String,
    forwards: String,
    listeners: String,
}

impl Definition {
    /// An empty one.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), bindings: String::new(), forwards: String::new(), listeners: String::new() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes the server on the local `port` available as `address`.
    #[must_use]
    pub fn binding(mut self, address: &str, port: u16) -> Self {
        entry(&mut self.bindings, address, port);
        self
    }

    /// Makes the network's `address` available on the local `port`.
    #[must_use]
    pub fn forward(mut self, address: &str, port: u16) -> Self {
        entry(&mut self.forwards, address, port);
        self
    }

    /// Lets AMQP clients connect to the local `port`; `more` are further lines of the listener.
    #[must_use]
    pub fn amqp(mut self, port: u16, more: &[&str]) -> Self {
        let _ = write!(self.listeners, "  - name: amqp\n    host: 127.0.0.1\n    port: {port}\n");
        for line in more {
            let _ = writeln!(self.listeners, "    {line}");
        }
        self
    }

    /// The file's text.
    #[must_use]
    pub fn yaml(&self) -> String {
        let mut text = format!("name: {}\n", self.name);
        for (key, entries) in
            [("bindings", &self.bindings), ("forwards", &self.forwards), ("qdr-listeners", &self.listeners)]
        {
            if !entries.is_empty() {
                let _ = write!(text, "{key}:\n{entries}");
            }
        }
        text
    }
}

fn entry(list: &mut String, address: &str, port: u16) {
    let name = address.replace(':', "-");
    let _ = write!(
        list,
        "  - name: {name}-{port}\n    host: 127.0.0.1\n    service:\n      address: {address}\n      protocol: tcp\n      \
         ports: [{port}]\n    target_ports: [{port}]\n"
    );
}
