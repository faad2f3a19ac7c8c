//! The unambiguous encoding that is hashed: every part carries its length.
//!
//! No two different sequences of parts encode alike, whatever bytes they hold,
//! as long as both sides agree on the order of texts and counts, which each
//! encoding below a domain name of its own does.

use hmac::digest::Update;

/// Writes parts to a hash, or to a buffer in tests.
pub(crate) struct Encoder<S>(S);

impl<S: Update> Encoder<S> {
    /// Starts an encoding. The domain keeps encodings for different purposes
    /// apart and carries the version of the format.
    pub(crate) fn new(sink: S, domain: &str) -> Self {
        let mut encoder = Self(sink);
        encoder.bytes(domain.as_bytes());
        encoder
    }

    /// Writes a byte string.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }

    /// Writes a text.
    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Writes a number, such as how many parts follow.
    pub(crate) fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_be_bytes());
    }

    /// What was written to.
    pub(crate) fn finish(self) -> S {
        self.0
    }
}

/// The first 128 bits of a SHA-256.
pub(crate) fn truncated(hash: [u8; 32]) -> [u8; 16] {
    std::array::from_fn(|at| hash[at])
}
