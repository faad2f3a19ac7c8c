//! All writes: by server-side apply as field manager `projsync`, each in one request.
//!
//! Every write goes through the [`Writer`] and results in a [`Written`]. (Only
//! [`events`](super::events) and [`lease`](super::lease) write on their own.)

mod digest_key;
mod policy;
mod projection;
mod roll;
mod writer;
mod written;

pub use self::digest_key::{KeyError, SECRET_NAME};
pub use self::roll::Target;
pub use self::writer::Writer;
pub use self::written::Written;

#[cfg(test)]
mod tests;
