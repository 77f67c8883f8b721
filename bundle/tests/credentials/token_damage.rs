//! Tokens cut off, damaged and hostile: always an answer, never a panic, never a word of the key.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moorline_bundle::{LinkToken, TokenFault, token};

use crate::site::{now, token_yaml, west};

fn fault(bytes: &[u8]) -> TokenFault {
    LinkToken::parse("t", bytes, now()).unwrap_err().fault
}

#[test]
fn a_token_cut_off_anywhere_is_refused_or_whole_where_it_counts() {
    let parts = &west().1;
    let yaml = token_yaml(parts);
    let whole = LinkToken::parse("t", yaml.as_bytes(), now()).unwrap();
    let key = STANDARD.encode(&parts.key);
    let whole_edge = yaml.find("\"443\"").unwrap() + "\"443\"".len();
    let mut complete = 0;
    for end in 0..yaml.len() {
        match LinkToken::parse("t", &yaml.as_bytes()[..end], now()) {
            // Some cuts leave complete YAML without the last fields; never with half a value that
            // we connect with.
            Ok(token) => {
                complete += 1;
                assert!(end >= whole_edge, "{end}");
                assert_eq!(token.edge, whole.edge, "{end}");
                assert_eq!(token.credentials, whole.credentials, "{end}");
                if let Some(inter_router) = token.inter_router {
                    assert_eq!(Some(inter_router), whole.inter_router, "{end}");
                }
            }
            Err(error) => {
                let text = format!("{error} {error:?}");
                assert!(error.to_string().starts_with("t: "), "{end}: {error}");
                assert!(!text.contains(&key[..40]), "{end}: {text}");
                assert!(text.len() < 1000, "{end}: {text}");
            }
        }
    }
    assert!((1..yaml.len() - whole_edge).contains(&complete), "{complete}");
}

#[test]
fn damaged_bytes_never_panic() {
    let yaml = token_yaml(&west().1).into_bytes();
    // A small generator of pseudo-random numbers, the same on each run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    for _ in 0..3000 {
        let mut damaged = yaml.clone();
        for _ in 0..=next(4) {
            let at = next(damaged.len());
            match next(3) {
                0 => damaged[at] = u8::try_from(next(256)).unwrap(),
                1 => drop(damaged.drain(at..(at + next(40)).min(yaml.len() / 2).max(at))),
                _ => damaged.insert(at, b"&*!{}[]:|>%@`\"'\0\xff\n"[next(18)]),
            }
        }
        let _ = LinkToken::parse("t", &damaged, now());
    }
    for length in 0..300 {
        let noise: Vec<u8> = (0..length).map(|_| u8::try_from(next(256)).unwrap()).collect();
        LinkToken::parse("t", &noise, now()).unwrap_err();
    }
}

#[test]
fn size_is_bounded() {
    let mut yaml = token_yaml(&west().1).into_bytes();
    yaml.resize(token::LARGEST, b'\n');
    LinkToken::parse("t", &yaml, now()).unwrap();
    yaml.push(b'\n');
    assert_eq!(fault(&yaml), TokenFault::TooLarge { size: token::LARGEST + 1, largest: token::LARGEST });
}

#[test]
fn aliases_cannot_multiply_and_nesting_cannot_sink() {
    let bomb = |open: &str, close: &str, key: fn(usize) -> String| {
        let mut bomb = String::from("a0: &a0 x\n");
        for level in 1..12 {
            let below: Vec<_> = (0..10).map(|n| format!("{}*a{}", key(n), level - 1)).collect();
            bomb.push_str(&format!("a{level}: &a{level} {open}{}{close}\n", below.join(",")));
        }
        bomb
    };
    let lists = bomb("[", "]", |_| String::new());
    let mappings = bomb("{", "}", |n| format!("k{n}: "));
    let mut texts = format!("a: &a {}\nb:\n", "x".repeat(200_000));
    for line in 0..4000 {
        texts.push_str(&format!("  k{line}: *a\n"));
    }
    let nested = "[".repeat(100_000);
    let maps = "{a: ".repeat(50_000);
    let many = (0..20_000).map(|n| format!("k{n}: 1\n")).collect::<String>();
    let tags = (0..10_000).map(|n| format!("%TAG !{n}! a\n")).collect::<String>();
    let indented = format!("{}x", "? ".repeat(100_000));
    let deep = format!("kind: {}", "[".repeat(2048));
    let start = Instant::now();
    // What is in lists is skipped unread.
    assert_eq!(fault(lists.as_bytes()), TokenFault::NotASecret { found: None });
    for hostile in [mappings, texts, nested, maps, many, tags, indented, deep] {
        let found = fault(hostile.as_bytes());
        assert!(matches!(found, TokenFault::NotYaml { .. }), "{found:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn odd_yaml_is_an_error_with_its_reason() {
    for (text, reason) in [
        ("kind: Secret\nkind: Secret\n", "appears twice"),
        ("kind: Secret\n---\nkind: Secret\n", "more than one document"),
        ("kind: !mine Secret\n", "custom tags"),
        ("kind: *nowhere\n", "unknown anchor"),
        ("kind: \"Sec", "line 1"),
    ] {
        let error = LinkToken::parse("t", text.as_bytes(), now()).unwrap_err();
        assert!(matches!(error.fault, TokenFault::NotYaml { .. }), "{error:?}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}
