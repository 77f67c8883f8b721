//! Trees for people, drawn as Skupper draws them.

use std::fmt;

/// A line, and the lines below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    line: String,
    below: Vec<Tree>,
}

impl Tree {
    pub(crate) fn new(line: impl Into<String>) -> Tree {
        Tree { line: line.into(), below: Vec::new() }
    }

    /// Adds a line below, to which more can be added.
    pub(crate) fn add(&mut self, line: impl Into<String>) -> &mut Tree {
        self.below.push(Tree::new(line));
        let last = self.below.len() - 1;
        &mut self.below[last]
    }

    /// Adds lines below, which have none of their own.
    pub(crate) fn leaves(&mut self, lines: impl IntoIterator<Item = String>) {
        self.below.extend(lines.into_iter().map(Tree::new));
    }

    fn draw(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        for (index, child) in self.below.iter().enumerate() {
            let (branch, rest) = if index + 1 == self.below.len() { ("╰─ ", "   ") } else { ("├─ ", "│  ") };
            write!(f, "\n{indent}{branch}{}", child.line)?;
            child.draw(f, &format!("{indent}{rest}"))?;
        }
        Ok(())
    }
}

/// Without a newline at its end.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)?;
        self.draw(f, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
