//! The guards: each keeps a managed workload from being rolled for one reason.

pub(super) mod content;
pub(super) mod older;
pub(super) mod pace;
pub(super) mod seen;
pub(super) mod wishes;

#[cfg(test)]
mod tests;
