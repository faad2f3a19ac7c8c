# Sourced by the scripts of this folder.
# shellcheck shell=bash
set -Eeuo pipefail
# No silent end.
trap 'printf "e2e: %s:%s: failed: %s\n" "${BASH_SOURCE[0]}" "$LINENO" "$BASH_COMMAND" >&2' ERR

KIND_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$KIND_DIR/../.." && pwd)
CONTROLPLANE=$ROOT/tests/controlplane
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/projsync/e2e
mkdir -p "$CACHE/bin"

say() { printf 'e2e: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# As root, directly or by sudo.
as_root() {
    if ((EUID == 0)); then "$@"; else sudo --non-interactive "$@"; fi
}

# install COMMAND=PACKAGE...: the packages of what is missing, where apt-get is.
install_missing() {
    local missing=() pair
    for pair in "$@"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null || fail "missing, please install: ${missing[*]}"
    say "installing ${missing[*]}"
    {
        as_root apt-get update -q
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -q --no-install-recommends "${missing[@]}"
    } >"$CACHE/apt.log" 2>&1 || fail "apt-get failed: see $CACHE/apt.log"
}

# lock FILE: one process at a time past this point, until this (sub)shell ends.
lock() {
    exec 9>"$1"
    flock --nonblock 9 && return
    say "waiting: another process is building the same"
    flock 9
}

# A short hash of the content and names of files and folders.
hash_of() {
    find "$@" -type f -print0 | sort -z | xargs -0 sha256sum |
        sed "s# .*$ROOT/# #" | sha256sum | cut -c1-16
}

# go_build NAME MODULE PACKAGE [FLAG...]: builds a command of a pinned module once for
# these pins, this Go and these flags, and prints where it is.
go_build() {
    local name=$1 module=$2 package=$3 key target work start=$SECONDS
    shift 3
    key=$(printf '%s\n' "$(hash_of "$module")" "$(go env GOVERSION GOOS GOARCH)" "$@" | sha256sum)
    target=$CACHE/bin/$name-${key:0:16}
    if [[ ! -x $target ]]; then
        (
            lock "$target.lock"
            [[ ! -x $target ]] || exit 0
            say "building $name ..."
            work=$(mktemp -d "$CACHE/bin/build-XXXXXX")
            if ! (cd "$module" && env -u GOFLAGS CGO_ENABLED=0 GOWORK=off \
                go build -trimpath -mod=readonly -o "$work/$name" "$@" "$package") 2>"$work/log" 9>&-; then
                cat "$work/log" >&2
                rm -r "$work"
                fail "building $name failed"
            fi
            mv "$work/$name" "$target"
            rm -r "$work"
            say "building $name ... $((SECONDS - start)) s"
        ) || exit
    fi
    printf '%s\n' "$target"
}

# The version of a module that another module requires.
go_version() { (cd "$1" && GOWORK=off go list -m -f '{{.Version}}' "$2"); }

kind_binary() { go_build kind "$KIND_DIR/go/kind" sigs.k8s.io/kind -ldflags "-s -w"; }

# etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kubectl of the same
# version as the node's, which the other tests use too: the folder of them.
controlplane_binaries() {
    (cd "$ROOT" && env -u KUBEBUILDER_ASSETS cargo run --locked --quiet -p controlplane -- build 9>&-)
}
