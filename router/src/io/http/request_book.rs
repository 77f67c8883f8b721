//! Requests by service, host and site, as `httpRequestInfo` shows them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::counts::{known_method, known_status};
use super::record::RequestRecord;
use crate::management::types::http::RequestInfo;

/// More rows are not begun: what belongs to none is counted in one of its service for [`OTHERS`].
const MOST_ROWS: usize = 1_000;
const OTHERS: &str = "others";
/// What a request without an answer counts as, as in skupper-router.
const NO_ANSWER: u16 = 500;

/// All rows of this router; they outlive the bridges, as in skupper-router.
#[derive(Debug, Default)]
pub(in crate::io) struct RequestBook(BTreeMap<Row, RequestInfo>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    incoming: bool,
    address: String,
    host: String,
    site: Option<String>,
}

impl RequestBook {
    pub(in crate::io) fn enter(&mut self, record: &RequestRecord<'_>) {
        let bridge = record.bridge;
        let client = || record.connection.map_or("", |connection| &connection.peer).parse::<SocketAddr>().ok();
        let host = match bridge.listener {
            true => client().map(|client| client.ip().to_canonical().to_string()).unwrap_or_default(),
            false => bridge.host.clone(),
        };
        let (incoming, address, site) = (bridge.listener, bridge.address.clone(), record.site.map(str::to_owned));
        let info = self.row(Row { incoming, address, host, site });
        info.requests += 1;
        info.bytes_in += record.bytes_in;
        info.bytes_out += record.bytes_out;
        info.most_millis = info.most_millis.max(u64::try_from(record.duration.as_millis()).unwrap_or(u64::MAX));
        let result = format!("{}:{}", known_method(record.method), record.status.map_or(NO_ANSWER, known_status));
        *info.details.entry(result).or_default() += 1;
    }

    fn row(&mut self, mut row: Row) -> &mut RequestInfo {
        if self.0.len() >= MOST_ROWS && !self.0.contains_key(&row) {
            row = Row { host: OTHERS.to_owned(), site: None, ..row };
        }
        self.0.entry(row).or_insert_with_key(|row| RequestInfo {
            incoming: row.incoming,
            address: row.address.clone(),
            host: row.host.clone(),
            site: row.site.clone(),
            ..RequestInfo::default()
        })
    }

    pub(in crate::io) fn rows(&self) -> impl Iterator<Item = &RequestInfo> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_clients_than_have_a_row_share_one() {
        let mut book = RequestBook::default();
        let row = |n: usize| Row { incoming: true, address: "web:80".to_owned(), host: n.to_string(), site: None };
        for client in (0..MOST_ROWS + 5).chain([3]) {
            book.row(row(client)).requests += 1;
        }
        assert_eq!(book.rows().count(), MOST_ROWS + 1);
        let of = |host: &str| book.rows().find(|info| info.host == host).map(|info| info.requests);
        assert_eq!([of("3"), of("1000"), of(OTHERS)], [Some(2), None, Some(5)]);
    }
}
