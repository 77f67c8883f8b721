//! From the text in the file to the JSON text: comments, variables, placeholders, and the way back to positions.

use super::ConfigProblem;

/// The JSON text and how to find its places in the text that it came from.
#[derive(Debug)]
pub(super) struct Expanded {
    pub(super) json: String,
    substitutions: Vec<Substitution>,
}

/// One variable's value in the JSON text.
#[derive(Debug)]
struct Substitution {
    line: usize,
    /// Byte column (from 0) of the value in the JSON text.
    at: usize,
    /// Bytes that the value takes.
    len: usize,
    /// Bytes that the reference took.
    was: usize,
}

impl Expanded {
    /// The column in the original text of a column (from 1) in the JSON text. Lines are the same in both.
    pub(super) fn original_column(&self, line: usize, column: usize) -> usize {
        let mut original = column;
        for s in self.substitutions.iter().filter(|s| s.line == line && s.at < column.saturating_sub(1)) {
            let inside = (column - 1 - s.at).min(s.len);
            original = original.saturating_sub(inside) + s.was.min(if inside < s.len { 0 } else { s.was });
        }
        original.max(1)
    }
}

/// Blanks comment lines and expands `$VAR` and `${VAR}`; every line keeps its number.
///
/// Values are escaped for a JSON string, so that no value can end the string that it stands in.
pub(super) fn expand(text: &str, vars: &dyn Fn(&str) -> Option<String>) -> Result<Expanded, Vec<ConfigProblem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut json = String::with_capacity(text.len());
    let mut substitutions = Vec::new();
    let mut problems = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            json.push('\n');
        }
        if line.trim_start().starts_with('#') {
            continue;
        }
        let number = index + 1;
        problems.extend(placeholders(line, number));
        let line_start = json.len();
        let mut rest = 0;
        while let Some(found) = line[rest..].find('$') {
            let dollar = rest + found;
            json.push_str(&line[rest..dollar]);
            let Some((name, len)) = reference(&line[dollar..]) else {
                json.push('$');
                rest = dollar + 1;
                continue;
            };
            rest = dollar + len;
            let Some(value) = vars(name) else {
                problems.push(ConfigProblem::UnsetVariable { name: name.to_owned(), line: number, column: dollar + 1 });
                continue;
            };
            let quoted = serde_json::Value::from(value).to_string();
            let escaped = &quoted[1..quoted.len() - 1];
            substitutions.push(Substitution {
                line: number,
                at: json.len() - line_start,
                len: escaped.len(),
                was: len,
            });
            json.push_str(escaped);
        }
        json.push_str(&line[rest..]);
    }
    if problems.is_empty() { Ok(Expanded { json, substitutions }) } else { Err(problems) }
}

/// The variable that a text starting with `$` refers to, and the length of the reference.
fn reference(text: &str) -> Option<(&str, usize)> {
    let after = text.strip_prefix('$')?;
    if let Some(braced) = after.strip_prefix('{') {
        let end = braced.find('}')?;
        let name = &braced[..end];
        return is_name(name).then_some((name, end + 3));
    }
    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
    let name = &after[..end];
    is_name(name).then_some((name, end + 1))
}

fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// The `{{.Name}}` placeholders of one line.
fn placeholders(line: &str, number: usize) -> Vec<ConfigProblem> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = line[from..].find("{{").map(|at| from + at) {
        let inner = &line[start + 2..];
        from = start + 2;
        let Some(end) = inner.find("}}") else { break };
        if inner[..end].trim().strip_prefix('.').is_some_and(is_name) {
            found.push(ConfigProblem::Placeholder {
                placeholder: line[start..start + end + 4].to_owned(),
                line: number,
                column: start + 1,
            });
            from = start + end + 4;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_lead_back_to_the_original() {
        let text = expand("[\"${LONG_NAME}\", x]", &|_| Some("v".to_owned())).unwrap();
        assert_eq!(text.json, "[\"v\", x]");
        assert_eq!(text.original_column(1, 2), 2);
        assert_eq!(text.original_column(1, 7), "[\"${LONG_NAME}\", x".len());
    }
}
