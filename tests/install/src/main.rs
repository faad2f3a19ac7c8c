//! What installs Projsync: `config/` by kustomize and `charts/projsync` by Helm give the
//! same objects, the API server takes them, and the admission policy confines the account.

mod admission;
mod render;
mod same;
mod served;
