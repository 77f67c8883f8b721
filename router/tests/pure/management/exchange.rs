//! Requests and answers.

use super::entities::everything;
use super::{Fixed, REPLY_TO, ask, map, member, names, read, refused, request, verdict};
use moorline_amqp::Value;
use moorline_definition::router_config::Entity;
use moorline_router::management::types::connection;
use moorline_router::management::{Change, EntityType, Kind, Received, Status, Verdict, answer};

fn results(body: &Value) -> &[Value] {
    match member(body, "results") {
        Value::List(rows) => rows,
        other => panic!("no results: {other:?}"),
    }
}

fn query(kind: &str) -> Value {
    map([("operation", "QUERY".into()), ("entityType", format!("io.skupper.router.{kind}").into())])
}

#[test]
fn an_answer_is_addressed_numbered_and_rated() {
    let said = ask(&everything(), query("router"), map([("attributeNames", Value::List(Vec::new()))]));
    assert_eq!(said.properties.to.as_deref(), Some(REPLY_TO));
    assert_eq!(said.properties.correlation_id, Some(Value::Ulong(7)));
    assert_eq!(said.status, Value::Int(200));
    assert_eq!(said.description, "OK");
    let expected: Vec<Value> = EntityType::of(Kind::Router).attributes.iter().map(|a| a.name.into()).collect();
    assert_eq!(*member(&said.body, "attributeNames"), Value::List(expected));
    assert_eq!(results(&said.body).len(), 1);
}

#[test]
fn the_bytes_of_an_answer() {
    let received =
        Received::read(&request(Value::Ulong(0), query("httpConnector"), map([("attributeNames", names(["name"]))])));
    let received = received.unwrap();
    let Verdict::Answer(response) = answer(&received.request.unwrap(), &Fixed::default()) else { panic!() };
    let mut expected = vec![0x00, 0x53, 0x70, 0xc0, 0x02, 0x01, 0x42];
    expected.extend([0x00, 0x53, 0x73, 0xc0, 0x37, 0x06, 0x40, 0x40, 0xa1, 0x2f]);
    expected.extend(REPLY_TO.as_bytes());
    expected.extend([0x40, 0x40, 0x44]);
    expected.extend([0x00, 0x53, 0x74, 0xc1, 0x29, 0x04, 0xa1, 0x0a]);
    expected.extend(b"statusCode");
    expected.extend([0x71, 0, 0, 0, 200, 0xa1, 0x11]);
    expected.extend(b"statusDescription");
    expected.extend([0xa1, 0x02, b'O', b'K']);
    expected.extend([0x00, 0x53, 0x77, 0xc1, 0x24, 0x04, 0xa1, 0x0e]);
    expected.extend(b"attributeNames");
    expected.extend([0xc0, 0x07, 0x01, 0xa1, 0x04, b'n', b'a', b'm', b'e', 0xa1, 0x07]);
    expected.extend(b"results");
    expected.push(0x45);
    assert_eq!(response.encode(&received.reply_to), expected);
}

#[test]
fn correlation_ids_come_back_in_their_own_type() {
    for id in [
        Value::Ulong(300),
        Value::Uuid([7; 16]),
        Value::Binary(vec![1, 2]),
        Value::String("1".to_owned()),
        Value::Int(1),
        Value::Symbol("s".to_owned()),
    ] {
        let received = Received::read(&request(id.clone(), query("router"), Value::Null)).unwrap();
        let Verdict::Answer(response) = answer(&received.request.unwrap(), &everything()) else { panic!() };
        assert_eq!(read(&response.encode(&received.reply_to)).properties.correlation_id, Some(id));
    }
}

#[test]
fn what_skupper_asks_of_an_edge_is_answered_even_when_there_is_nothing() {
    for kind in [
        "tcpConnector",
        "tcpListener",
        "httpConnector",
        "httpListener",
        "tcpConnection",
        "httpRequestInfo",
        "connector",
        "listener",
        "sslProfile",
        "connection",
        "router.address",
        "router.link",
        "router.node",
        "log",
    ] {
        let said = ask(&Fixed::default(), query(kind), map([("attributeNames", Value::List(Vec::new()))]));
        assert_eq!((said.status, results(&said.body).len()), (Value::Int(200), 0), "{kind}");
    }
}

#[test]
fn attributes_are_answered_in_the_order_asked_for() {
    let said = ask(&everything(), query("tcpConnector"), map([("attributeNames", names(["port", "name"]))]));
    assert_eq!(results(&said.body), [Value::List(vec!["19090".into(), "echo".into()])]);
    let said = ask(&everything(), query("tcpConnector"), map([("attributeNames", names(["port", "nosuch"]))]));
    assert_eq!(said.status, Value::Int(404));
    assert_eq!(said.description, "Unknown attributes ['nosuch'] for type io.skupper.router.tcpConnector.");
}

#[test]
fn offset_and_count_cut_the_rows() {
    let page = |offset: Value, count: Value| {
        let properties =
            map([("operation", "QUERY".into()), ("entityType", "log".into()), ("offset", offset), ("count", count)]);
        let said = ask(&everything(), properties, map([("attributeNames", names(["module"]))]));
        results(&said.body).iter().map(|row| format!("{row:?}")).collect::<Vec<_>>()
    };
    assert_eq!(page(Value::Int(0), Value::Int(500)).len(), 2);
    assert_eq!(page(Value::Int(1), Value::Ulong(500)).len(), 1);
    assert!(page(Value::Int(0), Value::Int(1))[0].contains("DEFAULT"));
    assert_eq!(page(Value::Int(7), Value::Null).len(), 0);
    assert_eq!(page(Value::Int(-1), Value::Int(0)).len(), 2);
}

#[test]
fn a_query_without_a_type_or_of_an_abstract_one_is_over_many_kinds() {
    let all = ask(&everything(), map([("operation", "QUERY".into())]), map([("attributeNames", names(["type"]))]));
    assert_eq!(results(&all.body).len(), everything().0.values().map(Vec::len).sum::<usize>());
    let configured = ask(&everything(), query("configurationEntity"), Value::Null);
    assert!(results(&configured.body).len() > 5);
    let addressed =
        ask(&everything(), map([("operation", "QUERY".into())]), map([("attributeNames", names(["distribution"]))]));
    assert_eq!(results(&addressed.body).len(), 2);
}

#[test]
fn read_finds_by_name_or_identity() {
    let read = |key: &'static str, value: &str, kind: &'static str| {
        let properties = map([("operation", "READ".into()), ("type", kind.into()), (key, value.into())]);
        ask(&everything(), properties, Value::Null)
    };
    assert_eq!(*member(&read("name", "echo", "tcpConnector").body, "address"), "echo".into());
    assert_eq!(
        *member(&read("identity", "2", "io.skupper.router.connection").body, "container"),
        "interior-2.7".into()
    );
    assert_eq!(*member(&read("name", "self", "org.amqp.management").body, "identity"), "self".into());
    let none = read("name", "newc", "tcpConnector");
    assert_eq!((none.status, none.description.as_str()), (Value::Int(404), "No entity with name=newc"));
    assert_eq!(none.body, Value::Map(Vec::new()));
}

#[test]
fn the_node_tells_what_it_knows() {
    let tell = |operation: &'static str, of: Value| {
        let properties = map([
            ("operation", operation.into()),
            ("name", "self".into()),
            ("type", "org.amqp.management".into()),
            ("entityType", of),
        ]);
        ask(&everything(), properties, Value::Null)
    };
    let listener = "io.skupper.router.tcpListener";
    let types = tell("GET-TYPES", listener.into()).body;
    let bases = ["io.skupper.router.configurationEntity", "io.skupper.router.entity"];
    assert_eq!(types, map([(listener, names(bases))]));
    assert_eq!(
        tell("GET-OPERATIONS", "tcpListener".into()).body,
        map([(listener, names(["CREATE", "DELETE", "READ"]))])
    );
    let Value::Map(attributes) = tell("GET-ATTRIBUTES", Value::Null).body else { panic!() };
    assert!(attributes.len() > 25);
    assert_eq!(tell("GET-MGMT-NODES", Value::Null).body, names(["amqp:/_topo/0/hub/$management"]));
    assert_eq!(tell("GET-ANNOTATIONS", Value::Null).body, Value::Map(Vec::new()));
    let Value::List(log) = tell("GET-LOG", Value::Null).body else { panic!() };
    assert_eq!(log.len(), 2);
    let schema = tell("GET-SCHEMA", Value::Null).body;
    let port = member(member(member(member(&schema, "entityTypes"), "tcpListener"), "attributes"), "port");
    assert_eq!(*member(port, "required"), Value::Bool(true));
    assert_eq!(tell("GET-TYPES", "nosuch".into()).status, Value::Int(400));
    assert_eq!(tell("FROB", Value::Null).status, Value::Int(501));
}

fn create(body: Value) -> Verdict {
    let properties = map([("operation", "CREATE".into()), ("type", "io.skupper.router.tcpListener".into())]);
    verdict(&everything(), properties, body)
}

#[test]
fn create_reads_attributes_as_files_have_them() {
    let body = map([
        ("name", "new".into()),
        ("type", "io.skupper.router.tcpListener".into()),
        ("host", "127.0.0.1".into()),
        ("port", Value::Int(1234)),
        ("address", "db:5432".into()),
        ("siteId", Value::Null),
    ]);
    let Verdict::Change(Change::Create(Entity::TcpListener(bridge))) = create(body) else { panic!() };
    assert_eq!((bridge.name.as_str(), bridge.port.as_str(), bridge.address.as_str()), ("new", "1234", "db:5432"));
    assert_eq!(bridge.site_id, None);
}

#[test]
fn a_wrong_create_is_refused_with_a_reason() {
    for (body, why) in [
        (map([("port", "1".into())]), "tcpListener: address: required"),
        (map([("address", "a".into()), ("port", "http".into())]), "expected a port from 0 to 65535"),
        (map([("foo", Value::Int(1))]), "Unknown attribute 'foo' for 'io.skupper.router.tcpListener'"),
        (map([("bytesIn", Value::Int(1))]), "Cannot set attribute 'bytesIn' in CREATE"),
        (map([("type", "tcpConnector".into())]), "Conflicting values for 'type'"),
        (map([("address", Value::Uuid([0; 16]))]), "A value has a type"),
        (Value::Map(vec![(Value::Int(1), Value::Int(2))]), "The body must be a map of names"),
        (Value::Int(3), "The body must be a map"),
    ] {
        let Verdict::Answer(response) = create(body) else { panic!("not refused: {why}") };
        assert_eq!(response.status, Status::BadRequest);
        assert!(response.description.contains(why), "{}", response.description);
    }
}

#[test]
fn update_is_for_attributes_that_may_change() {
    let update = |body: Value| {
        let properties = map([("operation", "UPDATE".into()), ("type", "log".into()), ("name", "log/AGENT".into())]);
        verdict(&everything(), properties, body)
    };
    let Verdict::Change(Change::Update(Entity::Log(log))) = update(map([("enable", "debug+".into())])) else {
        panic!()
    };
    assert_eq!((log.module.as_str(), log.enable.as_str()), ("AGENT", "debug+"));
    // The tools send all attributes back.
    let Verdict::Change(_) = update(map([("module", "AGENT".into()), ("name", "log/AGENT".into())])) else { panic!() };
    let Verdict::Answer(refused) = update(map([("module", "ROUTER".into())])) else { panic!() };
    assert_eq!(refused.description, "Cannot update attribute 'module' in UPDATE");
}

#[test]
fn delete_names_what_exists() {
    let delete = |kind: &'static str, name: &'static str| {
        let properties = map([("operation", "DELETE".into()), ("type", kind.into()), ("name", name.into())]);
        verdict(&everything(), properties, Value::Null)
    };
    let expected = Change::Delete { kind: Kind::TcpConnector, name: "echo".to_owned() };
    assert_eq!(delete("tcpConnector", "echo"), Verdict::Change(expected));
    for (kind, name, status) in [
        ("tcpConnector", "x", Status::NotFound),
        ("router", "edge-2.7", Status::NotImplemented),
        ("connection", "connection/interior", Status::Forbidden),
        ("router.link", "x", Status::Forbidden),
        ("x", "x", Status::BadRequest),
    ] {
        let Verdict::Answer(response) = delete(kind, name) else { panic!() };
        assert_eq!(response.status, status, "{kind}");
    }
}

#[test]
fn connectors_and_addresses_are_created_as_files_have_them() {
    let create = |kind: &'static str, body: Value| {
        let properties = map([("operation", "CREATE".into()), ("type", kind.into()), ("name", "new".into())]);
        verdict(&everything(), properties, body)
    };
    let body = map([("host", "hub".into()), ("port", Value::Int(45671)), ("role", "edge".into()), ("cost", 3.into())]);
    let Verdict::Change(Change::Create(Entity::Connector(connector))) = create("connector", body) else { panic!() };
    assert_eq!((connector.name.as_str(), connector.port.as_str(), connector.cost), ("new", "45671", Some(3)));
    let address = "io.skupper.router.router.config.address";
    let body = map([("prefix", "/news/".into()), ("distribution", "multicast".into())]);
    let Verdict::Change(Change::Create(Entity::Address(made))) = create(address, body) else { panic!() };
    assert_eq!((made.name.as_deref(), made.means(), made.distribution.as_str()), (Some("new"), "news", "multicast"));
    let Verdict::Change(Change::Create(Entity::Address(made))) = create(address, map([("pattern", "a/*/b".into())]))
    else {
        panic!()
    };
    assert_eq!((made.prefix.as_str(), made.means(), made.distribution.as_str()), ("", "a/*/b", "balanced"));
    for (body, why) in [
        (map([]), "prefix: required"),
        (map([("prefix", "a".into()), ("pattern", "a/#".into())]), "no prefix beside a pattern"),
        (map([("prefix", "a".into()), ("distribution", "wild".into())]), "multicast, closest, balanced or unavailable"),
        (map([("prefix", "a".into()), ("foo", Value::Int(1))]), "Unknown attribute 'foo'"),
        (map([("prefix", "a".into()), ("identity", "7".into())]), "Cannot set attribute 'identity'"),
    ] {
        let Verdict::Answer(refused) = create(address, body) else { panic!("not refused: {why}") };
        assert_eq!(refused.status, Status::BadRequest);
        assert!(refused.description.contains(why), "{}", refused.description);
    }
    assert_eq!(
        verdict(
            &everything(),
            map([("operation", "DELETE".into()), ("type", address.into()), ("identity", "1".into())]),
            Value::Null
        ),
        Verdict::Change(Change::Delete { kind: Kind::ConfigAddress, name: "address/0".to_owned() })
    );
}

#[test]
fn a_connection_of_a_client_can_be_closed_and_nothing_else_of_it_changed() {
    let update = |identity: &'static str, body: Value| {
        let properties =
            map([("operation", "UPDATE".into()), ("type", "connection".into()), ("identity", identity.into())]);
        verdict(&clients(), properties, body)
    };
    let status = |status: &'static str| map([("adminStatus", status.into())]);
    assert_eq!(update("7", status("deleted")), Verdict::Change(Change::Close("7".to_owned())));
    // The tools may tell everything else as it was.
    let told = map([("adminStatus", "deleted".into()), ("uptimeSeconds", Value::Int(3))]);
    assert_eq!(update("7", told), Verdict::Change(Change::Close("7".to_owned())));
    let Verdict::Answer(same) = update("7", status("enabled")) else { panic!() };
    assert_eq!((same.status, member(&same.body, "container")), (Status::Ok, &"asker".into()));
    for (identity, body, status, why) in [
        ("7", status("disabled"), Status::BadRequest, "enabled or deleted"),
        ("7", map([("adminStatus", Value::Int(1))]), Status::BadRequest, "enabled or deleted"),
        ("7", map([("role", "edge".into())]), Status::BadRequest, "Only adminStatus"),
        ("7", Value::Null, Status::BadRequest, "Only adminStatus"),
        ("7", map([("colour", "red".into())]), Status::BadRequest, "Unknown attribute 'colour'"),
        ("7", map([("enableProtocolTrace", true.into())]), Status::BadRequest, "no protocol trace"),
        ("2", status("deleted"), Status::Forbidden, "not allowed"),
        ("9", status("deleted"), Status::NotFound, "No entity with identity=9"),
    ] {
        let Verdict::Answer(refused) = update(identity, body) else { panic!("not refused: {why}") };
        assert_eq!(refused.status, status, "{why}");
        assert!(refused.description.contains(why), "{}", refused.description);
    }
}

/// With the uplink, and one client.
fn clients() -> Fixed {
    let mut all = everything();
    let facts = connection::Connection {
        id: 7,
        host: "127.0.0.1:40000".to_owned(),
        role: "normal",
        protocol: "amqp",
        incoming: true,
        container: "asker".to_owned(),
        ..connection::Connection::default()
    };
    all.0.entry(Kind::Connection).or_default().push(connection::connection(facts));
    all
}

#[test]
fn unknown_things_are_told() {
    let unknown = refused(&everything(), query("nosuch"), Value::Null);
    assert_eq!(unknown.description, "No such entity type 'io.skupper.router.nosuch'");
    assert_eq!(unknown.status, Status::BadRequest);
    let none = refused(&everything(), map([("type", "log".into())]), Value::Null);
    assert_eq!((none.status, none.description.as_str()), (Status::BadRequest, "No 'operation' property"));
    let nameless = refused(&everything(), map([("operation", "READ".into()), ("type", "log".into())]), Value::Null);
    assert_eq!(nameless.description, "io.skupper.router.log: No name or identity provided");
    let frob = map([("operation", "FROB".into()), ("type", "log".into()), ("name", "log/AGENT".into())]);
    assert_eq!(refused(&everything(), frob, Value::Null).status, Status::NotImplemented);
}

#[test]
fn broken_requests_are_answered_when_they_say_whom() {
    let whole = request(Value::Ulong(7), query("router"), map([("attributeNames", Value::Int(5))]));
    let mut answered = 0;
    for length in 0..whole.len() {
        match Received::read(&whole[..length]) {
            Ok(received) => {
                assert_eq!(received.reply_to.address, REPLY_TO);
                answered += usize::from(received.request.is_err_and(|response| response.status == Status::BadRequest));
            }
            Err(why) => assert!(!why.is_empty()),
        }
    }
    assert!(answered > 20, "{answered}");
    for at in 0..whole.len() {
        for value in [0x00, 0x40, 0x45, 0x80, 0xc1, 0xd0, 0xf0, 0xff] {
            let mut broken = whole.clone();
            broken[at] = value;
            if let Ok(Received { request: Ok(request), .. }) = Received::read(&broken) {
                answer(&request, &everything());
            }
        }
    }
    assert_eq!(
        refused(&everything(), query("router"), map([("attributeNames", Value::Int(5))])).status,
        Status::BadRequest
    );
}

#[test]
fn a_request_that_says_not_whom_to_answer_is_not_answered() {
    assert!(Received::read(&[]).is_err());
    assert!(Received::read(&[0x00, 0x53, 0x70, 0x45]).is_err());
    assert!(Received::read(&[0x00, 0x53, 0x73, 0x45]).is_err());
}
