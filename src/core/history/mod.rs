//! What each Pod has: the contents of each source over time, and what is remembered of them.

pub mod record;
pub mod timeline;
