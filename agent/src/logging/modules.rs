//! Log modules of routers, and the parts of this program that do the same.

/// Targets of the log by module. What is not here does not exist in this router and logs nothing.
const MODULES: [(&str, &[&str]); 9] = [
    ("FLOW_LOG", &["access"]),
    ("PROTOCOL", &["moorline_amqp"]),
    ("AGENT", &["moorline_router::io::management", "moorline_router::management"]),
    ("TCP_ADAPTOR", &["moorline_router::io::flow", "moorline_router::io::listen::tcp"]),
    ("HTTP_ADAPTOR", &["moorline_router::io::http", "h2", "hyper"]),
    ("HTTP", &["moorline_router::io::web"]),
    ("CONN_MGR", &["moorline_router::io::uplink", "moorline_router::io::proxy"]),
    ("SERVER", &["moorline_router::io::listen", "moorline_router::io::doors", "moorline_router::io::renewal"]),
    ("ROUTER_CORE", &["moorline_router::core"]),
];
/// All the rest.
const ROUTER: (&str, &[&str]) = ("ROUTER", &["moorline_router"]);

pub(super) fn targets(module: &str) -> &'static [&'static str] {
    let known = MODULES.iter().chain([&ROUTER]).find(|(name, _)| *name == module);
    known.map_or(&[], |(_, targets)| targets)
}

/// The module of a target.
pub(super) fn module(target: &str) -> &'static str {
    let covers =
        |prefix: &&str| target.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    let known = MODULES.iter().find(|(_, targets)| targets.iter().any(covers));
    known.map_or(ROUTER.0, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_of_the_module_that_names_it() {
        assert_eq!(module("moorline_router::io::listen::tcp"), "TCP_ADAPTOR");
        assert_eq!(module("moorline_router::io::listen::amqp"), "SERVER");
        assert_eq!(module("h2::codec"), "HTTP_ADAPTOR");
        assert_eq!(module("h2o"), "ROUTER");
        let every = moorline_router::management::types::log::MODULES;
        assert!(MODULES.iter().chain([&ROUTER]).all(|(name, _)| every.contains(name)));
    }
}
