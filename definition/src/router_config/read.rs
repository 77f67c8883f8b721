//! Reading a router configuration.

use serde_json::{Map, Value};

use super::attributes::Attributes;
use super::decode::router;
use super::entities::RouterConfig;
use super::{ConfigProblem, Entity, RouterConfigError, text};

/// Reads a router configuration, in the spelling of Skupper's tools and of `skrouterd`.
///
/// Lines whose first non-blank character is `#` are dropped, kebab-case names are read as camelCase, and
/// `$VAR` and `${VAR}` are replaced by what `vars` answers.
///
/// # Errors
/// All problems at once: JSON syntax (with line and column), variables that are not set, Go template placeholders
/// left in, wrong shapes, missing or wrong attributes, duplicate names, references to profiles that do not exist.
pub fn parse(text: &str, vars: &dyn Fn(&str) -> Option<String>) -> Result<RouterConfig, RouterConfigError> {
    let expanded = text::expand(text, vars).map_err(|problems| RouterConfigError { problems })?;
    let top: Value = serde_json::from_str(&expanded.json).map_err(|error| ConfigProblem::Syntax {
        line: error.line(),
        column: expanded.original_column(error.line(), error.column()),
        message: without_position(&error.to_string()),
    })?;
    let Value::Array(pairs) = top else {
        return Err(shape(1, "array at top level", &top).into());
    };
    let lines = element_lines(&expanded.json);
    let mut reader = Reader::default();
    for (index, pair) in pairs.into_iter().enumerate() {
        reader.pair(lines.get(index).copied().unwrap_or(1), pair);
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    config: RouterConfig,
    router_seen: bool,
    problems: Vec<ConfigProblem>,
    /// Kind, name and line of every entity, for the checks across entities.
    places: Vec<(String, String, usize)>,
}

impl Reader {
    fn pair(&mut self, line: usize, pair: Value) {
        let (kind, attributes) = match pair {
            Value::Array(items) => match <[Value; 2]>::try_from(items) {
                Ok([Value::String(kind), Value::Object(attributes)]) => (kind, attributes),
                Ok([Value::String(_), other]) => {
                    return self.problems.push(shape(line, "entity as map", &other));
                }
                Ok([other, _]) => {
                    return self.problems.push(shape(line, "entity type as string", &other));
                }
                Err(items) => {
                    return self.problems.push(shape(line, "array with type and value", &Value::Array(items)));
                }
            },
            other => {
                return self.problems.push(shape(line, "array with type and value", &other));
            }
        };
        let attributes = attributes.into_iter().map(|(name, value)| (camel_case(&name), value)).collect();
        self.entity(line, &camel_case(&kind), attributes);
    }

    fn entity(&mut self, line: usize, kind: &str, map: Map<String, Value>) {
        if kind == "router" {
            if self.router_seen {
                return self.problems.push(ConfigProblem::SecondRouter { line });
            }
            self.router_seen = true;
            self.config.router = router(Attributes::new(line, "router", "id", map, &mut self.problems));
            return;
        }
        let entity = Entity::read(line, kind, map, &mut self.problems);
        let (kind, name) = entity.place();
        self.places.push((kind.to_owned(), name.to_owned(), line));
        self.config.push(entity);
    }

    fn finish(mut self) -> Result<RouterConfig, RouterConfigError> {
        if !self.router_seen {
            self.problems.push(ConfigProblem::NoRouter);
        }
        let line = |kind: &str, name: &str| {
            // The last of several: a duplicate is reported where it is repeated.
            self.places.iter().rev().find(|(k, n, _)| k == kind && n == name).map_or(0, |(_, _, line)| *line)
        };
        self.problems.extend(super::validate::references(&self.config, &line));
        self.problems.sort_by_key(ConfigProblem::line);
        if self.problems.is_empty() { Ok(self.config) } else { Err(RouterConfigError { problems: self.problems }) }
    }
}

fn camel_case(name: &str) -> String {
    let short = name.strip_prefix("io.skupper.router.").unwrap_or(name);
    let short = short.strip_prefix("router.config.").unwrap_or(short);
    let mut camel = String::with_capacity(short.len());
    let mut raise = false;
    for c in short.chars() {
        match c {
            '-' => raise = true,
            c if raise => {
                camel.extend(c.to_uppercase());
                raise = false;
            }
            c => camel.push(c),
        }
    }
    camel
}

fn shape(line: usize, expected: &'static str, got: &Value) -> ConfigProblem {
    let mut got = got.to_string();
    if let Some((cut, _)) = got.char_indices().nth(60) {
        got.truncate(cut);
        got.push('…');
    }
    ConfigProblem::Shape { line, expected, got }
}

/// serde_json's words without the position that it adds; ours is in the original text.
fn without_position(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(words, _)| words).to_owned()
}

/// The line on which each element of the top array starts. The text is known to be valid JSON.
fn element_lines(json: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    let (mut line, mut depth, mut in_string, mut escaped, mut expecting) = (1, 0_usize, false, false, false);
    for byte in json.bytes() {
        if expecting && !byte.is_ascii_whitespace() && byte != b']' {
            lines.push(line);
            expecting = false;
        }
        match byte {
            b'\n' => line += 1,
            _ if in_string => match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            },
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                expecting = depth == 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => expecting = true,
            _ => {}
        }
    }
    lines
}
