// What runs in the containers of the end-to-end tests.
module projsync.dev/e2e/workload

go 1.26.0
