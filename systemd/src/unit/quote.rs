//! How unit files write down what is meant literally.
//!
//! There are four dialects: a command line (quotes, C escapes, `%` and `$`), an assignment (quotes, C escapes, `%`), a
//! list of paths (quotes, a backslash that takes the next character as it is, `%`) and the rest of a line (`%` alone).

use std::path::Path;

use super::{Program, UnitFault};

/// One argument of `ExecStart=`, so written that systemd passes on exactly `argument`, which holds no NUL.
pub fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,+@".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    c_quoted(argument).replace('$', "$$")
}

/// One path of a list of paths (`ReadOnlyPaths=`, `BindPaths=`, ...).
pub fn quoted_path(path: &Path) -> Result<String, UnitFault> {
    let text = written(path)?;
    let mut word = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => word.extend(['\\', c]),
            '%' => word.push_str("%%"),
            c => word.push(c),
        }
    }
    word.push('"');
    Ok(word)
}

/// The command line of `program`.
pub(super) fn command(program: &Program) -> Result<String, UnitFault> {
    let path = absolute(&program.path)?;
    let arguments = program.arguments.iter().map(String::as_str);
    if path.contains('\0') || arguments.clone().any(|argument| argument.contains('\0')) {
        return Err(UnitFault::Argument);
    }
    let first = if path.chars().any(|c| "\"'\\".contains(c) || c.is_control()) {
        // systemd refuses such a path as an executable, in whatever quotes; as an argument it may have it. The shell
        // makes way for the program, which is then the main process.
        format!("/bin/sh -c {} {}", quoted(r#"exec "$0" "$@""#), quoted(path))
    } else if path.contains('$') {
        // Variables are replaced in arguments, argv[0] among them, and not in the path of the executable.
        format!("@{} {}", c_quoted(path), quoted(path))
    } else {
        quoted(path)
    };
    Ok(std::iter::once(first).chain(arguments.map(quoted)).collect::<Vec<_>>().join(" "))
}

/// One assignment of `Environment=`.
pub(super) fn assignment(variable: &str, value: &str) -> Result<String, UnitFault> {
    let named = variable.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && variable.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !named || value.contains('\0') {
        return Err(UnitFault::Variable { name: variable.to_owned() });
    }
    Ok(c_quoted(&format!("{variable}={value}")))
}

/// The value of `LoadCredential=`, whose path is the rest of the line as it stands.
pub(super) fn credential(name: &str, path: &Path) -> Result<String, UnitFault> {
    let named = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if !named {
        return Err(UnitFault::Credential { name: name.to_owned() });
    }
    let text = written(path)?;
    if text.ends_with([' ', '\\']) {
        return Err(UnitFault::Unwritable { path: path.to_owned() });
    }
    Ok(format!("{name}:{}", text.replace('%', "%%")))
}

/// The name of a user or group, which systemd checks again.
pub(super) fn account(name: &str) -> Result<&str, UnitFault> {
    let fit = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if fit { Ok(name) } else { Err(UnitFault::Account { name: name.to_owned() }) }
}

/// A text that stays one line.
pub(super) fn line<'a>(field: &'static str, text: &'a str) -> Result<&'a str, UnitFault> {
    if text.chars().any(char::is_control) || text.ends_with('\\') {
        Err(UnitFault::LineBreak { field })
    } else {
        Ok(text)
    }
}

/// `text` in double quotes, with C escapes and `%` doubled.
fn c_quoted(text: &str) -> String {
    let mut word = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => word.extend(['\\', c]),
            '%' => word.push_str("%%"),
            // Control characters beyond ASCII are two bytes in UTF-8 and need no escape.
            c if c.is_ascii_control() => word.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => word.push(c),
        }
    }
    word.push('"');
    word
}

/// An absolute path without what lists of paths cannot hold.
fn written(path: &Path) -> Result<&str, UnitFault> {
    let text = absolute(path)?;
    if text.chars().any(char::is_control) { Err(UnitFault::Unwritable { path: path.to_owned() }) } else { Ok(text) }
}

fn absolute(path: &Path) -> Result<&str, UnitFault> {
    if !path.is_absolute() {
        return Err(UnitFault::RelativePath { path: path.to_owned() });
    }
    path.to_str().ok_or_else(|| UnitFault::NotUtf8 { path: path.to_owned() })
}
