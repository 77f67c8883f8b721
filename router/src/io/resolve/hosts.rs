//! `/etc/hosts`: lines of an address and its names.

use std::collections::HashMap;
use std::net::IpAddr;

/// The names of a hosts file, in lower case and without a final dot, with their addresses in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Hosts(HashMap<String, Vec<IpAddr>>);

impl Hosts {
    /// Lines that make no sense are passed over, as every resolver does.
    pub(super) fn parse(content: &[u8]) -> Self {
        let mut hosts: HashMap<String, Vec<IpAddr>> = HashMap::new();
        for line in content.split(|byte| *byte == b'\n') {
            let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
            let Ok(line) = str::from_utf8(line) else { continue };
            let mut words = line.split_ascii_whitespace();
            let Some(Ok(address)) = words.next().map(str::parse) else { continue };
            for name in words {
                hosts.entry(plain(name)).or_default().push(address);
            }
        }
        Self(hosts)
    }

    pub(super) fn addresses(&self, host: &str) -> Option<&[IpAddr]> {
        self.0.get(&plain(host)).map(Vec::as_slice)
    }
}

fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_aliases_comments_and_both_families() {
        let hosts = Hosts::parse(
            b"# a comment\n10.0.0.5\tDB.example.com db # the old one\r\nfd00::5 db\nnot-an-address x\n\xff\xfe\n10.0.0.6\n",
        );
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(hosts.addresses("Db"), Some(["10.0.0.5", "fd00::5"].map(parse).as_slice()));
        assert_eq!(hosts.addresses("db.EXAMPLE.com."), Some([parse("10.0.0.5")].as_slice()));
        for absent in ["the", "x", "example.com", ""] {
            assert_eq!(hosts.addresses(absent), None, "{absent}");
        }
    }
}
