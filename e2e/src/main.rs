//! Projsync on the cluster of `$KUBECONFIG`, where `make e2e` installed it: real kubelets,
//! real containers. Cases run in parallel, each in a namespace of its own.

mod cluster;
mod installed;
mod rolls;
