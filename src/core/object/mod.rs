//! Objects of the cluster, as far as the core needs to know them.

pub mod pod;
pub mod source;
pub mod workload;
