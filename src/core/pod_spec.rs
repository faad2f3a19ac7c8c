//! The subset of a PodSpec that matters to Projsync, in serde types of our own.
//!
//! k8s-openapi's oldest feature drops fields that newer clusters serve, so the
//! fields that we read, and those that we only show, are declared here.
