// Small programs of ours that a node of the kind cluster runs.
module projsync.dev/e2e/node

go 1.26.0
