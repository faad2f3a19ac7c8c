//! Content → digests.

/// A digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    /// Which key.
    pub key_id: [u8; 4],
    /// The digest.
    pub bytes: [u8; 16],
}
