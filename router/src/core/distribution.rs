//! Which addresses are multicast, as configured.

use super::Router;

/// The prefix that is multicast in every Skupper network, where nothing else is configured.
const ALWAYS: &str = "mc";

/// Which addresses are meant: words between `/` or `.`, where `*` is any one word and `#` any number of words.
///
/// Of two that an address fits, the lesser is the more exact one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern(Vec<Word>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Exact(String),
    One,
    Any,
}

impl Pattern {
    /// A pattern as it is written.
    pub fn new(text: &str) -> Pattern {
        let words = text.split(SEPARATORS).filter(|word| !word.is_empty()).map(|word| match word {
            "*" => Word::One,
            "#" => Word::Any,
            exact => Word::Exact(exact.to_owned()),
        });
        Pattern(words.collect())
    }

    /// All addresses that begin with these words.
    pub fn prefix(words: &str) -> Pattern {
        let mut pattern = Pattern::new(words);
        pattern.0.push(Word::Any);
        pattern
    }

    fn fits(&self, address: &str) -> bool {
        let (mut words, mut at) = (address.split(SEPARATORS), 0);
        // Where to go on when what follows the last `#` does not fit: it stands for one word more.
        let mut again = None;
        loop {
            let rest = words.clone();
            let (word, wanted) = (words.next(), self.0.get(at));
            at += 1;
            let fits = match (word, wanted) {
                (_, Some(Word::Any)) => {
                    words = rest.clone();
                    again = Some((rest, at));
                    continue;
                }
                (None, None) => return true,
                (None, Some(_)) => return false,
                (Some(_), None) => false,
                (Some(_), Some(Word::One)) => true,
                (Some(word), Some(Word::Exact(exact))) => word == exact,
            };
            if !fits {
                let Some((mut from, then)) = again.take() else { return false };
                from.next();
                (words, at) = (from.clone(), then);
                again = Some((from, then));
            }
        }
    }
}

const SEPARATORS: [char; 2] = ['/', '.'];

/// What is configured for some addresses.
#[derive(Debug)]
pub(super) struct Distribution {
    number: u64,
    pattern: Pattern,
    multicast: bool,
}

impl Router {
    /// Messages to these addresses go to everyone who consumes them, or to one, from the next message on. Answers the
    /// number of this rule, which no other has or had; none: there is a rule for the same addresses.
    pub fn add_distribution(&mut self, pattern: Pattern, multicast: bool) -> Option<u64> {
        if self.distributions.iter().any(|known| known.pattern == pattern) {
            return None;
        }
        self.distribution_numbers += 1;
        let number = self.distribution_numbers;
        self.distributions.push(Distribution { number, pattern, multicast });
        Some(number)
    }

    /// Takes a rule back.
    pub fn remove_distribution(&mut self, number: u64) {
        self.distributions.retain(|known| known.number != number);
    }

    pub(super) fn is_multicast(&self, address: &str) -> bool {
        let fitting = self.distributions.iter().filter(|known| known.pattern.fits(address));
        match fitting.min_by(|a, b| a.pattern.cmp(&b.pattern)) {
            Some(configured) => configured.multicast,
            None => address.strip_prefix(ALWAYS).is_some_and(|rest| rest.starts_with('/')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Mode, Settings};

    #[test]
    fn words_stars_and_hashes() {
        for (pattern, fitting, others) in [
            ("a/b", &["a/b", "a.b"][..], &["a", "a/b/c", "b", ""][..]),
            ("a/*", &["a/b", "a/"], &["a", "a/b/c"]),
            ("*", &["a", ""], &["a/b"]),
            ("a/#", &["a", "a/b", "a.b.c"], &["ab", "b/a"]),
            ("#", &["", "a", "a/b"], &[]),
            ("#/z", &["z", "a/z", "z/z", "a/z/z"], &["", "z/a", "a"]),
            ("a/#/m/*/#/z", &["a/m/x/z", "a/m/m/x/y/z", "a/b/m/m/m/z/z"], &["a/m/z", "a/m/x", "m/x/z"]),
            ("/a/", &["a"], &["b"]),
        ] {
            let parsed = Pattern::new(pattern);
            for address in fitting {
                assert!(parsed.fits(address), "{pattern} {address:?}");
            }
            for address in others {
                assert!(!parsed.fits(address), "{pattern} {address:?}");
            }
        }
        assert_eq!(Pattern::prefix("a/b"), Pattern::new("a/b/#"));
        // No address makes it look at much.
        let long = "a/".repeat(10_000);
        assert!(!Pattern::new(&"#/a/".repeat(100)).fits(&format!("{long}b")));
    }

    #[test]
    fn the_most_exact_rule_decides() {
        let mut router =
            Router::new(Settings { id: "r".to_owned(), mode: Mode::Edge, seed: 1, version: "1".to_owned() });
        let multicast = |router: &Router, address| router.is_multicast(address);
        assert!(multicast(&router, "mc/a") && !multicast(&router, "mcx/a") && !multicast(&router, "news/a"));
        let news = router.add_distribution(Pattern::prefix("news"), true).unwrap();
        let one = router.add_distribution(Pattern::new("news/*/one"), false).unwrap();
        router.add_distribution(Pattern::prefix("mc/quiet"), false).unwrap();
        assert_eq!(router.add_distribution(Pattern::new("news/#"), false), None);
        assert!(multicast(&router, "news/a") && !multicast(&router, "news/a/one") && multicast(&router, "news/a/two"));
        assert!(multicast(&router, "mc/a") && !multicast(&router, "mc/quiet/a"));
        router.remove_distribution(one);
        assert!(multicast(&router, "news/a/one"));
        router.remove_distribution(news);
        assert!(!multicast(&router, "news/a"));
        assert!(router.add_distribution(Pattern::prefix("news"), true).unwrap() > one);
    }
}
