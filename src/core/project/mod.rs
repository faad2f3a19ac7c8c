//! What a Pod spec projects: the subset of the spec that matters, uses by container, references.

pub mod pod_spec;
pub mod reference;

#[cfg(test)]
mod tests;
