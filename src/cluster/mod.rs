//! What touches the API server.

pub mod error;
pub mod lease;
