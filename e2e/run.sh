#!/usr/bin/env bash
# `make e2e`: a kind cluster of its own with Projsync installed by kustomize, the tests of
# the e2e crate on it, and nothing left behind.
#
#   KEEP=1          leaves the cluster and says how to reach and delete it
#   USE_EXISTING=1  takes the current context instead of making a cluster; IMG names an
#                   image that its nodes can pull (a kind cluster is given ours)
#   NODE_IMAGE=...  see kind/node-image.sh
#
# Arguments go to the tests: `e2e/run.sh statefulset --nocapture`.
source "$(dirname "${BASH_SOURCE[0]}")/kind/lib.sh"
cd "$ROOT"

KIND_SCRIPTS=$KIND_DIR
started=$SECONDS
outcome=failed
cluster=

finish() {
    trap - EXIT INT TERM HUP ERR
    if [[ $outcome == failed && -n ${KUBECONFIG:-} ]]; then
        local reports=target/e2e/${cluster:-existing}-$(date +%Y%m%dT%H%M%S)
        "$ROOT/e2e/report.sh" "$reports" || true
        say "what the cluster looked like is in $reports"
    fi
    if [[ -n $cluster ]]; then
        if [[ ${KEEP:-} ]]; then
            touch "$folder/keep"
            say "the cluster is kept: export KUBECONFIG=$KUBECONFIG"
            say "to delete it: e2e/kind/cluster.sh down $cluster"
        else
            "$KIND_SCRIPTS/cluster.sh" down "$cluster" || true
        fi
    fi
    say "$outcome after $((SECONDS - started)) s"
    [[ $outcome == passed ]] || exit 1
    exit 0
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

PATH=$(controlplane_binaries):$PATH # for kubectl
export PATH

if [[ ${USE_EXISTING:-} ]]; then
    export KUBECONFIG=${KUBECONFIG:-$HOME/.kube/config}
    context=$(kubectl config current-context)
    say "taking the current context: $context"
    existing=
    [[ $context == kind-* ]] && existing=${context#kind-}
else
    "$KIND_SCRIPTS/docker.sh"
    "$KIND_SCRIPTS/cluster.sh" sweep
    cluster=projsync-e2e-$$-$RANDOM
    folder=$("$KIND_SCRIPTS/cluster.sh" folder "$cluster")
    mkdir -p "$folder"
    exec 8>"$folder/lock"
    flock 8
    "$KIND_SCRIPTS/cluster.sh" up "$cluster" 8>&-
    export KUBECONFIG=$folder/kubeconfig
    existing=$cluster
fi

# The operator, and what runs in the containers of the tests.
if [[ -z ${IMG:-} ]]; then
    [[ -n $existing ]] || fail "IMG and E2E_WORKLOAD_IMAGE must name images that this cluster can pull"
    export IMG=projsync:e2e E2E_WORKLOAD_IMAGE=projsync-e2e-workload:e2e
    make --no-print-directory image IMG="$IMG" >&2 8>&-
    mkdir -p target/e2e
    install "$(go_build workload "$ROOT/e2e/workload" . -ldflags "-s -w")" target/e2e/workload
    DOCKER_BUILDKIT=0 docker build --quiet --tag "$E2E_WORKLOAD_IMAGE" --file e2e/workload/Dockerfile target/e2e >&2
    docker save "$IMG" "$E2E_WORKLOAD_IMAGE" >target/e2e/images.tar
    "$KIND_SCRIPTS/cluster.sh" load "$existing" target/e2e/images.tar 8>&-
fi
make --no-print-directory deploy IMG="$IMG" >&2 8>&-
kubectl --namespace projsync-system rollout status deployment/projsync --timeout 2m >&2

say "ready after $((SECONDS - started)) s; testing ..."
export PROJSYNC=$ROOT/target/image/projsync
outcome=passed
# --workspace, as `make test` does, so that libraries are built once for both.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-12} cargo test --locked --workspace --test parallel -- "$@" 8>&- || outcome=failed
RUST_TEST_THREADS=1 cargo test --locked --workspace --test serial -- "$@" 8>&- || outcome=failed
