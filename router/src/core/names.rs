//! Random names: links, temporary addresses, the mesh id. Unique, not secret.

/// A small generator of names (xorshift64*): the seed comes from outside, so the core stays deterministic.
#[derive(Debug)]
pub(super) struct Names {
    state: u64,
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+_";

impl Names {
    pub(super) fn new(seed: u64) -> Names {
        // Zero is the one state that xorshift never leaves.
        Names { state: seed ^ 0x9e37_79b9_7f4a_7c15 | 1 }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// `n` characters of the alphabet that skupper-router uses.
    pub(super) fn random(&mut self, n: usize) -> String {
        (0..n).map(|_| ALPHABET[(self.next() >> 58) as usize] as char).collect()
    }

    /// A link name.
    pub(super) fn link(&mut self) -> String {
        format!("qdlink.{}", self.random(15))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_repeat_with_the_seed() {
        let (mut a, mut b) = (Names::new(7), Names::new(7));
        let first = a.random(15);
        assert_eq!(first, b.random(15));
        assert_ne!(first, a.random(15));
        assert!(first.bytes().all(|c| ALPHABET.contains(&c)));
    }
}
