//! What identifies a digest key, and the digest of one key of a source.

use crate::core::content::hex::hex_bytes;

hex_bytes! {
    /// Tells digest keys apart without revealing anything of them.
    KeyId, 4
}

hex_bytes! {
    /// Digest of the bytes of one key of one source.
    KeyDigest, 16
}
