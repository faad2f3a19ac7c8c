#!/usr/bin/env bash
# Makes sure that a Docker daemon answers: installs Debian's where there is none and starts
# it where nothing else does. `docker.sh stop` ends one that was started here.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

RUN=$CACHE/docker

start() {
    docker version >/dev/null 2>&1 && return
    [[ -z ${DOCKER_HOST:-} ]] || fail "no Docker daemon answers at DOCKER_HOST=$DOCKER_HOST"
    ((EUID == 0)) || sudo --non-interactive true 2>/dev/null ||
        fail "no Docker daemon answers, and only root may start one"
    install_missing dockerd=docker.io docker=docker.io iptables=iptables
    # Where there is an init, the package has started it.
    docker version >/dev/null 2>&1 && return

    mkdir -p "$RUN"
    # Where the machine withholds capabilities, privileged containers need our runc.
    local runc
    runc=$(go_build runc "$KIND_DIR/go/node" ./runc -ldflags "-s -w")
    say "starting dockerd (its log: $RUN/dockerd.log)"
    as_root setsid --fork dockerd --pidfile "$RUN/dockerd.pid" \
        --add-runtime "adapted=$runc" --default-runtime adapted \
        >"$RUN/dockerd.log" 2>&1 </dev/null 9>&-
    local end=$((SECONDS + 60))
    until docker version >/dev/null 2>&1; do
        if ((SECONDS > end)); then
            tail -n 20 "$RUN/dockerd.log" >&2
            fail "dockerd does not answer after a minute"
        fi
        sleep 0.2
    done
}

stop() {
    [[ -s $RUN/dockerd.pid ]] || return 0
    local pid
    pid=$(cat "$RUN/dockerd.pid")
    [[ $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]] || return 0
    as_root kill "$pid"
    while [[ -e /proc/$pid ]]; do sleep 0.2; done
}

"${1:-start}"
