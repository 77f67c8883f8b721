//! Trees for people, drawn as Skupper draws them.

use std::fmt;

use crate::output::{GREEN, PLAIN, RED};

/// What a line means to who looks for trouble.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tone {
    #[default]
    Plain,
    Good,
    Bad,
}

/// A line, and the lines below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    line: String,
    tone: Tone,
    below: Vec<Tree>,
}

impl Tree {
    pub(crate) fn new(line: impl Into<String>) -> Tree {
        Tree { line: line.into(), tone: Tone::Plain, below: Vec::new() }
    }

    /// As it should be.
    pub(crate) fn good(self) -> Tree {
        Tree { tone: Tone::Good, ..self }
    }

    /// Not as it should be.
    pub(crate) fn bad(self) -> Tree {
        Tree { tone: Tone::Bad, ..self }
    }

    /// Adds a line below, to which more can be added.
    pub(crate) fn add(&mut self, line: impl Into<Tree>) -> &mut Tree {
        self.below.push(line.into());
        let last = self.below.len() - 1;
        &mut self.below[last]
    }

    /// Adds lines below, which have none of their own.
    pub(crate) fn leaves(&mut self, lines: impl IntoIterator<Item = impl Into<Tree>>) {
        self.below.extend(lines.into_iter().map(Into::into));
    }

    fn say(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colour = match self.tone {
            Tone::Good if f.alternate() => GREEN,
            Tone::Bad if f.alternate() => RED,
            _ => return f.write_str(&self.line),
        };
        write!(f, "{colour}{}{PLAIN}", self.line)
    }

    fn draw(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        for (index, child) in self.below.iter().enumerate() {
            let (branch, rest) = if index + 1 == self.below.len() { ("╰─ ", "   ") } else { ("├─ ", "│  ") };
            write!(f, "\n{indent}{branch}")?;
            child.say(f)?;
            child.draw(f, &format!("{indent}{rest}"))?;
        }
        Ok(())
    }
}

impl<S: Into<String>> From<S> for Tree {
    fn from(line: S) -> Tree {
        Tree::new(line)
    }
}

/// Without a newline at its end; `{:#}` in colours.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.say(f)?;
        self.draw(f, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_only_where_they_are_asked_for() {
        let mut tree = Tree::new("one");
        tree.leaves([Tree::new("up").good(), Tree::new("down").bad()]);
        assert_eq!(tree.to_string(), "one\n├─ up\n╰─ down");
        assert_eq!(format!("{tree:#}"), "one\n├─ \x1b[32mup\x1b[0m\n╰─ \x1b[1;31mdown\x1b[0m");
    }

    #[test]
    fn branches() {
        let mut tree = Tree::new("Gateway Definition:");
        let gateway = tree.add("machine-user type:podman version:2.7.6");
        let bindings = gateway.add("Bindings:");
        bindings.add("mydb:3306 tcp mydb:3306 localhost 3306");
        bindings.add("web:8080 http web:8080 10.0.0.5 8081").add("2 open");
        gateway.add("Forwards:").add("api:443 tcp api:443  8443:8443");
        assert_eq!(
            tree.to_string(),
            "Gateway Definition:\n\
             ╰─ machine-user type:podman version:2.7.6\n   \
                ├─ Bindings:\n   \
                │  ├─ mydb:3306 tcp mydb:3306 localhost 3306\n   \
                │  ╰─ web:8080 http web:8080 10.0.0.5 8081\n   \
                │     ╰─ 2 open\n   \
                ╰─ Forwards:\n      \
                   ╰─ api:443 tcp api:443  8443:8443"
        );
    }
}
