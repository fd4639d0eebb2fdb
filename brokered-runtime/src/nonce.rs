//! Random numbers that no other process can guess.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A new nonce: 32 hexadecimal digits.
pub(crate) fn new_nonce() -> String {
    let keys = RandomState::new();
    let part = |number: u64| {
        let mut hasher = keys.build_hasher();
        hasher.write_u64(number);
        hasher.finish()
    };
    format!("{:016x}{:016x}", part(1), part(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nonce_is_new() {
        let nonce = new_nonce();
        assert_eq!(nonce.len(), 32);
        assert_ne!(nonce, new_nonce());
    }
}
