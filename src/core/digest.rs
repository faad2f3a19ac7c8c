//! Content → digests.
