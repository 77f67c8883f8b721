//! What records are about and what they say, in the numbers of the protocol.

/// What a record describes. Collectors of Skupper 1.x know the kinds up to [`Kind::Flow`] of these and must not be sent
/// the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// A router.
    Router = 1,
    /// A connection between routers.
    Link = 2,
    /// A port for a service's clients.
    Listener = 4,
    /// A service's server.
    Connector = 5,
    /// One end of a connection, or of a request in it.
    Flow = 6,
    /// A whole connection, both ways.
    Connection = 16,
}

/// What a record says. References, times and counters are [`Datum`]s of one type for each attribute: collectors drop
/// other types without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Attribute {
    Kind = 0,
    Identity = 1,
    /// Reference: the record that this one belongs to; for a router its site.
    Parent = 2,
    /// Microseconds since 1970.
    Start = 3,
    /// Microseconds since 1970.
    End = 4,
    /// Reference: the flow at the listener's end.
    Counterflow = 5,
    /// Reference: the router access that a link leads to.
    Peer = 6,
    Mode = 13,
    SourceHost = 14,
    TargetHost = 15,
    Protocol = 16,
    SourcePort = 17,
    TargetPort = 18,
    Address = 19,
    HostName = 22,
    /// Bytes from the socket; for a link, bytes sent.
    Octets = 23,
    /// Microseconds.
    Latency = 24,
    Method = 27,
    Result = 28,
    Reason = 29,
    Name = 30,
    /// Routers passed, joined by `|`.
    Trace = 31,
    BuildVersion = 32,
    Cost = 33,
    Direction = 34,
    OctetsUnacked = 37,
    WindowSize = 39,
    /// Connections since the start.
    ConnectionCount = 40,
    OperationalStatus = 53,
    Role = 54,
    /// Microseconds since 1970.
    UpSince = 55,
    /// Microseconds since 1970.
    DownSince = 56,
    DownCount = 57,
    /// Bytes to the socket; for a link, bytes received.
    OctetsReverse = 58,
    /// Reference: the connector that served a connection.
    Connector = 60,
    /// Microseconds between the first byte to the server and the first from it.
    ServerLatency = 61,
    ProxyHost = 62,
    ProxyPort = 63,
    ListenerError = 64,
    ConnectorError = 65,
    HttpProxy = 67,
}

impl Attribute {
    /// Those that a connector's router adds to the record of the connection at the listener's router.
    const ADDED: [Attribute; 6] = [
        Attribute::Trace,
        Attribute::Connector,
        Attribute::ServerLatency,
        Attribute::ProxyHost,
        Attribute::ProxyPort,
        Attribute::ConnectorError,
    ];

    /// The attribute of this number, if it is one that another router may add to a record of ours.
    pub(super) fn added(number: u32) -> Option<Attribute> {
        Attribute::ADDED.into_iter().find(|attribute| *attribute as u32 == number)
    }
}

/// A value: references and words are AMQP strings, times and counters AMQP ulongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datum<'a> {
    /// A reference or words.
    Text(&'a str),
    /// A time or a counter.
    Number(u64),
}

impl<'a> From<&'a str> for Datum<'a> {
    fn from(text: &'a str) -> Datum<'a> {
        Datum::Text(text)
    }
}

impl From<u64> for Datum<'_> {
    fn from(number: u64) -> Datum<'static> {
        Datum::Number(number)
    }
}
