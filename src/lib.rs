//! Projsync.
