#!/usr/bin/env bash
# `make e2e`: a kind cluster of its own with Projsync installed by kustomize, the tests of
# the e2e crate on it, and nothing left behind.
#
#   KEEP=1          leaves the cluster and says how to reach and delete it
#   USE_EXISTING=1  takes the current context instead of making a cluster. A kind cluster is given
#                   our images; another one must be able to pull those that IMG, NEXT_IMG (of
#                   another version) and E2E_WORKLOAD_IMAGE (of e2e/workload) name
#   NODE_IMAGE=...  see kind/node-image.sh
#
# Arguments go to the tests: `e2e/run.sh gitops --nocapture`.
source "$(dirname "${BASH_SOURCE[0]}")/kind/lib.sh"
cd "$ROOT"

KIND_SCRIPTS=$KIND_DIR
WORK=target/e2e
outcome=failed
cluster=

finish() {
    trap - EXIT INT TERM HUP ERR
    if [[ $outcome == failed && -n ${KUBECONFIG:-} ]]; then
        local reports=$WORK/${cluster:-existing}-$(date +%Y%m%dT%H%M%S)
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
    say "$outcome after $SECONDS s${up:+, $((SECONDS - up)) of them with the cluster}"
    [[ $outcome == passed ]] || exit 1
    exit 0
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# image NAME FILE FOLDER [OPTION...]: an image of what is in the folder; nothing is pulled.
image() {
    DOCKER_BUILDKIT=0 docker build --quiet --tag "$1" --file "$2" "${@:4}" "$3" >/dev/null 2>&1 ||
        fail "making the image $1 failed"
}

# The operator, the operator as a build of another version, and what runs in the containers of
# the tests.
images() {
    local built package=profile.release.package.projsync
    export IMG=projsync:e2e NEXT_IMG=projsync:e2e-next E2E_WORKLOAD_IMAGE=projsync-e2e-workload:e2e
    mkdir -p "$WORK/next" "$WORK/workload"
    # Those of earlier runs would stay without a name.
    docker rmi "$IMG" "$NEXT_IMG" "$E2E_WORKLOAD_IMAGE" >/dev/null 2>&1 || true
    built=target/$(uname -m)-unknown-linux-gnu/release/projsync
    # Of its own code only, and not optimized, as that takes minutes.
    PROJSYNC_VERSION=next make --no-print-directory static >&2 \
        CARGO="cargo --config $package.opt-level=0 --config $package.codegen-units=16"
    install "$built" "$WORK/next/projsync"
    image "$NEXT_IMG" Dockerfile "$WORK/next" --target prebuilt
    make --no-print-directory image IMG="$IMG" >&2
    export PROJSYNC=$ROOT/$built
    install "$(go_build workload "$ROOT/e2e/workload" . -ldflags "-s -w")" "$WORK/workload/workload"
    image "$E2E_WORKLOAD_IMAGE" e2e/workload/Dockerfile "$WORK/workload"
    docker save "$IMG" "$NEXT_IMG" "$E2E_WORKLOAD_IMAGE" >"$WORK/images.tar"
}

# The tests share dependencies with the other packages: features are those of the workspace.
tests() { cargo test --locked --workspace "$@" 8>&-; }

PATH=$(controlplane_binaries):$PATH # for kubectl
HELM=$("$ROOT/tests/install/helm.sh")
export PATH HELM

if [[ ${USE_EXISTING:-} ]]; then
    export KUBECONFIG=${KUBECONFIG:-$HOME/.kube/config}
    context=$(kubectl config current-context)
    say "taking the current context: $context"
    [[ $context != kind-* ]] || export KIND_CLUSTER=${context#kind-}
    if [[ -z ${KIND_CLUSTER:-} ]]; then
        [[ -n ${IMG:-} && -n ${NEXT_IMG:-} && -n ${E2E_WORKLOAD_IMAGE:-} ]] ||
            fail "IMG, NEXT_IMG and E2E_WORKLOAD_IMAGE must name images that this cluster can pull"
        make --no-print-directory build >&2
        export PROJSYNC=$ROOT/target/debug/projsync
    fi
else
    unset KUBECONFIG # never the user's
    "$KIND_SCRIPTS/docker.sh"
    "$KIND_SCRIPTS/cluster.sh" sweep
    cluster=projsync-e2e-$$-$RANDOM
    export KIND_CLUSTER=$cluster
fi
if [[ -n ${KIND_CLUSTER:-} ]]; then images; fi
tests --test parallel --test serial --no-run

up=$SECONDS
if [[ -n $cluster ]]; then
    folder=$("$KIND_SCRIPTS/cluster.sh" folder "$cluster")
    mkdir -p "$folder"
    exec 8>"$folder/lock"
    flock 8
    "$KIND_SCRIPTS/cluster.sh" up "$cluster" 8>&-
    export KUBECONFIG=$folder/kubeconfig
fi
if [[ -n ${KIND_CLUSTER:-} ]]; then
    "$KIND_SCRIPTS/cluster.sh" load "$KIND_CLUSTER" "$WORK/images.tar" 8>&-
fi
make --no-print-directory deploy IMG="$IMG" >&2 8>&-
kubectl --namespace projsync-system rollout status deployment/projsync --timeout 2m >&2

say "ready after $((SECONDS - up)) s; testing ..."
result=passed
# Mostly they wait for the cluster, so more at a time than cores.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-12} tests --test parallel -- "$@" || result=failed
RUST_TEST_THREADS=1 tests --test serial -- "$@" || result=failed
outcome=$result
