//! All communication with the API server.
//!
//! ```text
//! API server ─ watch ─▶ views ─▶ Ingest (the index)
//!            ─ read ──▶ digests of one ConfigMap or Secret
//!            ◀─ patch ─ the revision on a Pod template, Projections, policies' status, the digest key
//!            ◀─ lease ─ who leads
//! ```
//!
//! Every answer passes the [`pulse`](client::pulse), which notes the server's time and that
//! the connection is alive.

pub mod client;
pub mod events;
pub mod lease;
pub mod read;
#[cfg(test)]
mod test_server;
pub mod views;
pub mod watch;
pub mod write;
