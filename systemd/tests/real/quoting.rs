//! What systemd makes of awkward paths and arguments.

use std::fs;

use moorline_systemd::unit::Credential;

use crate::host::{LONG, home, install, manager, service, unit};

const AWKWARD: [&str; 12] =
    ["a b", "%h", "$HOME", "${HOME}", "$$", r#"it's "so""#, r"back\slash\n", "two\nlines", ";", "", "#ü", "\u{1}\t "];

#[tokio::test]
#[ignore = "needs tests/hosts/user-systemd"]
async fn arrives() {
    let manager = manager().await;
    let program = std::env::current_exe().unwrap();
    for (number, directory) in [
        "plain",
        "with blank",
        "100%h",
        "$HOME",
        "a${HOME}b",
        "it's",
        r#"say "so""#,
        r"b\x41",
        "a:b",
        "two\nlines",
        "=ü;",
    ]
    .into_iter()
    .enumerate()
    {
        let at = home().join(directory);
        fs::create_dir(&at).unwrap();
        let copy = at.join("service");
        fs::copy(&program, &copy).unwrap();
        let mut echo = unit("echo");
        echo.program = service(&copy);
        // What libtest takes for filters, after `--exact`.
        echo.program.arguments.extend(AWKWARD.map(str::to_owned));
        echo.environment.push(("SAID".into(), AWKWARD.concat()));
        if directory.contains('\n') {
            // No list of paths can hold it, so it cannot be shown inside a home directory that is hidden.
            assert!(echo.text(&moorline_systemd::UnitName::service("x").unwrap(), Some(252)).is_err());
            echo.sandbox = moorline_systemd::unit::Sandbox::Filters { executable_memory: false };
        } else {
            fs::write(at.join("key"), directory).unwrap();
            echo.readable = vec![at.clone()];
            echo.credentials = vec![Credential { name: "key".into(), path: at.join("key") }];
        }
        let name = install(&manager, &format!("quoting-{number}"), &echo).await;
        manager.start(&name, LONG).await.unwrap_or_else(|fault| panic!("{directory:?}: {fault}"));
        let said = fs::read_to_string(home().join("out/echo")).unwrap();
        let expected: Vec<&str> =
            std::iter::once(copy.to_str().unwrap()).chain(echo.program.arguments.iter().map(String::as_str)).collect();
        let expected = [expected.join("\u{1f}"), AWKWARD.concat()].join("\u{1f}");
        assert_eq!(said, expected, "{directory:?}");
        manager.stop(&name, LONG).await.unwrap();
        fs::remove_file(home().join("out/echo")).unwrap();
    }
}
