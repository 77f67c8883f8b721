//! What entity types there are: their attributes and the operations that they allow.

use super::types;
use moorline_amqp::Value;

/// In front of every entity type's name on the wire.
pub const PREFIX: &str = "io.skupper.router.";

/// A type that entities are of. The abstract types that they extend have no kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    Management,
    Router,
    RouterMetrics,
    Network,
    SslProfile,
    Listener,
    Connector,
    HttpListener,
    HttpConnector,
    HttpRequestInfo,
    TcpListener,
    TcpConnector,
    TcpConnection,
    Log,
    LogStats,
    Address,
    ConfigAddress,
    ConfigAutoLink,
    Link,
    Node,
    Connection,
    Allocator,
    Policy,
    Vhost,
    VhostUserGroup,
    VhostStats,
}

/// One entity type.
#[derive(Debug)]
pub struct EntityType {
    /// Name without [`PREFIX`], such as `tcpListener`.
    pub name: &'static str,
    /// What its entities are; none for an abstract type.
    pub kind: Option<Kind>,
    /// The type that it extends.
    pub base: Option<&'static EntityType>,
    /// All attributes, in the order of a query for all.
    pub attributes: &'static [Attribute],
    /// Operations of its own; those of its bases follow.
    pub own_operations: &'static [&'static str],
}

/// One attribute of an entity type.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    /// Name on the wire.
    pub name: &'static str,
    /// Type of its values, as the schema names it.
    pub form: &'static str,
    /// What it is when nothing is set.
    pub default: Preset,
    /// May be given when an entity is created.
    pub create: bool,
    /// May be changed.
    pub update: bool,
    /// Must be given when an entity is created.
    pub required: bool,
    /// Never shown.
    pub secret: bool,
}

/// The default of an attribute.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub enum Preset {
    None,
    Text(&'static str),
    Integer(i32),
    Bool(bool),
}

impl Preset {
    pub(super) fn value(self) -> Value {
        match self {
            Preset::None => Value::Null,
            Preset::Text(text) => text.into(),
            Preset::Integer(number) => number.into(),
            Preset::Bool(value) => value.into(),
        }
    }
}

pub(super) const fn text(name: &'static str) -> Attribute {
    let default = Preset::None;
    Attribute { name, form: "string", default, create: false, update: false, required: false, secret: false }
}

pub(super) const fn integer(name: &'static str) -> Attribute {
    Attribute { form: "integer", ..text(name) }
}

pub(super) const fn boolean(name: &'static str) -> Attribute {
    Attribute { form: "boolean", ..text(name) }
}

pub(super) const fn list(name: &'static str) -> Attribute {
    Attribute { form: "list", ..text(name) }
}

pub(super) const fn map(name: &'static str) -> Attribute {
    Attribute { form: "map", ..text(name) }
}

/// What every entity has.
pub(super) const NAME: Attribute = text("name").create();
pub(super) const IDENTITY: Attribute = text("identity");
pub(super) const TYPE: Attribute = text("type").create();

impl Attribute {
    pub(super) const fn create(self) -> Attribute {
        Attribute { create: true, ..self }
    }

    pub(super) const fn update(self) -> Attribute {
        Attribute { update: true, ..self }
    }

    pub(super) const fn required(self) -> Attribute {
        Attribute { create: true, required: true, ..self }
    }

    pub(super) const fn secret(self) -> Attribute {
        Attribute { secret: true, ..self }
    }

    pub(super) const fn or(self, default: Preset) -> Attribute {
        Attribute { default, ..self }
    }

    pub(super) const fn or_text(self, default: &'static str) -> Attribute {
        self.or(Preset::Text(default))
    }

    pub(super) const fn or_integer(self, default: i32) -> Attribute {
        self.or(Preset::Integer(default))
    }

    pub(super) const fn or_bool(self, default: bool) -> Attribute {
        self.or(Preset::Bool(default))
    }

    fn dump(&self) -> Value {
        let facts = [
            ("type", self.form.into()),
            ("default", self.default.value()),
            ("required", self.required.then_some(true).into()),
            ("create", self.create.then_some(true).into()),
            ("update", self.update.then_some(true).into()),
        ];
        Value::Map(facts.into_iter().filter(|(_, v)| *v != Value::Null).map(|(k, v)| (k.into(), v)).collect())
    }
}

impl EntityType {
    /// The type of this name, with or without [`PREFIX`].
    pub fn named(name: &str) -> Option<&'static EntityType> {
        let short = name.strip_prefix(PREFIX).unwrap_or(name);
        // `router.` is the prefix of names as well: `io.skupper.router.router` and `router` are the same type.
        types::ALL.iter().find(|entity| entity.name == short).copied()
    }

    /// The type whose entities are of this kind.
    pub fn of(kind: Kind) -> &'static EntityType {
        types::ALL.iter().find(|entity| entity.kind == Some(kind)).copied().unwrap_or(&types::ENTITY)
    }

    /// The name on the wire.
    pub fn full_name(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    /// The types that it extends, nearest first.
    pub fn bases(&self) -> impl Iterator<Item = &'static EntityType> + use<> {
        std::iter::successors(self.base, |entity| entity.base)
    }

    /// Whether its entities are of `other` as well.
    pub fn is_a(&self, other: &EntityType) -> bool {
        self.name == other.name || self.bases().any(|base| base.name == other.name)
    }

    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// All operations that it allows.
    pub fn operations(&self) -> impl Iterator<Item = &'static str> {
        let inherited = self.bases().flat_map(|base| base.own_operations.iter());
        self.own_operations.iter().chain(inherited).copied()
    }

    /// What GET-SCHEMA says of it.
    fn dump(&self) -> Value {
        let attributes = self.attributes.iter().filter(|a| a.name != TYPE.name).map(|a| (a.name.into(), a.dump()));
        Value::Map(vec![
            ("attributes".into(), Value::Map(attributes.collect())),
            ("operations".into(), Value::List(self.operations().map(Value::from).collect())),
            ("fullyQualifiedType".into(), self.full_name().into()),
        ])
    }
}

/// What GET-SCHEMA answers.
pub(super) fn dump() -> Value {
    let types = types::ALL.iter().map(|entity| (entity.name.into(), entity.dump()));
    Value::Map(vec![
        ("prefix".into(), PREFIX.trim_end_matches('.').into()),
        ("entityTypes".into(), Value::Map(types.collect())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_with_and_without_prefix() {
        for name in ["router", "io.skupper.router.router"] {
            assert_eq!(EntityType::named(name).unwrap().kind, Some(Kind::Router));
        }
        assert_eq!(EntityType::named("io.skupper.router.router.link").unwrap().kind, Some(Kind::Link));
        assert_eq!(EntityType::named("org.amqp.management").unwrap().kind, None);
        assert!(EntityType::named("io.skupper.router.nosuch").is_none());
        assert!(EntityType::named("").is_none());
    }

    #[test]
    fn every_type_is_whole() {
        for entity in types::ALL {
            for common in ["name", "identity", "type"] {
                let count = entity.attributes.iter().filter(|a| a.name == common).count();
                assert_eq!(count, 1, "{} {common}", entity.name);
            }
            let same = types::ALL.iter().filter(|other| other.name == entity.name).count();
            assert_eq!(same, 1, "{}", entity.name);
        }
    }

    #[test]
    fn operations_are_inherited() {
        let listener = EntityType::of(Kind::TcpListener);
        assert_eq!(listener.operations().collect::<Vec<_>>(), ["CREATE", "DELETE", "READ"]);
        assert!(listener.is_a(&types::CONFIGURATION));
        assert!(!listener.is_a(&types::OPERATIONAL));
        let management = EntityType::of(Kind::Management);
        assert!(management.operations().any(|operation| operation == "QUERY"));
    }
}
