#!/usr/bin/env bash
# Prints the name of a node image that Docker has: the official one of our kind where it can
# be pulled, else one made here from Debian's packages and Go modules, once for these pins.
# NODE_IMAGE=NAME takes another, NODE_IMAGE=build makes our own in any case.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SUITE=bookworm
# Nothing of these is needed by containers that run on overlayfs.
CONTAINERD_TAGS=no_btrfs,no_devmapper,no_zfs,no_aufs
PACKAGES=systemd,dbus,conntrack,iptables,nftables,iproute2,ethtool,kmod,mount,procps,jq,socat
PACKAGES+=,pigz,runc,containernetworking-plugins,ca-certificates

official() {
    local image
    image=$(sed -n 's/^const Image = "\(.*\)"$/\1/p' "$KIND_SOURCE/pkg/apis/config/defaults/image.go")
    docker image inspect "$image" >/dev/null 2>&1 ||
        { timeout 20 docker manifest inspect "$image" && docker pull "$image"; } >/dev/null 2>&1 ||
        return
    printf '%s\n' "$image"
}

# Where this machine gets Debian from; nothing (debootstrap's default) if it is no Debian.
mirror() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        sed -nE 's/^(URIs:|deb( \[[^]]*\])?) *(https?:\S+\/debian)\/?( .*)?$/\3/p' | sed -n 1p || true
}

# archive FILE ROOTFS CONFIG NAME...: an image of one layer as `docker save` writes it.
archive() {
    local file=$1 rootfs=$2 config=$3 work names
    shift 3
    work=$(mktemp -d "$WORK/archive-XXXX")
    tar -C "$rootfs" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$work/layer.tar" .
    jq -n --arg layer "sha256:$(sha256sum "$work/layer.tar" | cut -d' ' -f1)" --argjson config "$config" \
        --arg arch "$ARCH" '{architecture: $arch, os: "linux", config: $config,
            rootfs: {type: "layers", diff_ids: [$layer]}}' >"$work/config.json"
    names=$(jq -n '$ARGS.positional' --args "$@")
    jq -n --argjson names "$names" '[{Config: "config.json", RepoTags: $names, Layers: ["layer.tar"]}]' \
        >"$work/manifest.json"
    tar -C "$work" -cf "$file" manifest.json config.json layer.tar
    rm -r "$work"
}

# with_libraries ROOTFS FILE: a program of the base and what it loads.
with_libraries() {
    local path
    for path in "$2" $(chroot "$BASE" ldd "$2" | grep -o '/[^ ]*'); do
        install -D "$BASE/$(chroot "$BASE" realpath "$path")" "$1$path"
    done
}

# Debian with what a node needs of it, kept as an archive: its packages rarely change.
debian() {
    local archive mirror start=$SECONDS
    archive=$CACHE/debian-$(printf '%s %s' "$SUITE" "$PACKAGES" | sha256sum | cut -c1-12).tar
    if [[ ! -s $archive ]]; then
        say "installing Debian $SUITE for the node ..."
        mirror=$(mirror)
        debootstrap --variant=minbase --include="$PACKAGES" "$SUITE" "$BASE" ${mirror:+"$mirror"} \
            >"$CACHE/debootstrap.log" 2>&1 9>&- || fail "debootstrap failed: see $CACHE/debootstrap.log"
        rm -rf "$BASE"/var/cache/apt/* "$BASE"/var/lib/apt/lists/* "$BASE"/usr/share/{doc,man,locale,info}
        rm -f "$BASE"/var/log/{bootstrap,dpkg,alternatives}.log "$BASE/etc/machine-id"
        tar -C "$BASE" -cf "$archive.part" .
        mv "$archive.part" "$archive"
        say "installing Debian $SUITE for the node ... $((SECONDS - start)) s"
    else
        mkdir "$BASE"
        tar -C "$BASE" -xf "$archive"
    fi
}

# What a node boots: Debian with the files of kind's own base image (its Dockerfile says
# which units go and come), containerd, and runc behind our wrapper.
base() {
    debian
    cp -r --no-preserve=mode "$KIND_SOURCE"/images/base/files/. "$BASE"
    chmod 0755 "$BASE"/usr/local/bin/* "$BASE"/kind/bin/*
    (
        cd "$BASE"
        rm -f lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service \
            lib/systemd/system/{multi-user,local-fs,basic}.target.wants/* \
            lib/systemd/system/sockets.target.wants/*{udev,initctl}* etc/systemd/system/*.wants/*
        echo "ReadKMsg=no" >>etc/systemd/journald.conf
        ln -sfn /usr/lib/systemd/systemd sbin/init
        mkdir -p etc/kubernetes/manifests opt/cni
        ln -s /usr/lib/cni opt/cni/bin
    )
    chroot "$BASE" systemctl enable kubelet containerd undo-mount-hacks 2>/dev/null
    chroot "$BASE" systemctl mask systemd-binfmt 2>/dev/null

    local name
    for name in containerd ctr containerd-shim-runc-v2; do
        install "${BINARY[$name]}" "$BASE/usr/local/bin/$name"
    done
    install -D "${BINARY[runc]}" "$BASE/usr/local/sbin/runc"
    chroot "$BASE" ctr oci spec | jq '
        .hooks.createContainer |= . + [{path: "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)
    ' >"$BASE/etc/containerd/cri-base.json"
    # These need CAP_SYS_RESOURCE, which some sandboxes withhold; a test does without.
    sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' "$BASE/etc/containerd/config.toml"
    sed -i '/^Limit\|^OOMScoreAdjust/d' "$BASE/etc/systemd/system/containerd.service"
    cp -r "$KIND_DIR/node/rootfs/." "$BASE"
}

# The images of the cluster's own Pods, as `kind build node-image` wants them: it looks at the
# first image of each of four archives. One layer serves nearly all: commands differ, not files.
server() {
    local bin=$1 rootfs=$WORK/components name required
    say "making the images of the cluster's components ..."
    for name in etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy; do
        install -D "${BINARY[$name]}" "$rootfs/usr/local/bin/$name"
    done
    install "${BINARY[pause]}" "$rootfs/pause"
    mkdir -m 1777 "$rootfs/tmp"
    with_libraries "$rootfs" /usr/sbin/nft
    mapfile -t required < <(
        "${BINARY[kubeadm]}" config images list --kubernetes-version "$VERSION" 2>/dev/null
        sed -n 's/.*sandbox_image = "\(.*\)"/\1/p' "$BASE/etc/containerd/config.toml"
        sed -n 's/^const [a-zA-Z]*Image = "\(.*\)"/\1/p' "$KIND_SOURCE"/pkg/build/nodeimage/const_{cni,storage}.go
    )
    local others=() dns=()
    for name in "${required[@]}"; do
        if [[ $name == */coredns:* ]]; then dns+=("$name"); else others+=("$name"); fi
    done
    local path='"Env": ["PATH=/usr/local/bin:/usr/sbin:/usr/bin"]'
    archive "$bin/kube-apiserver.tar" "$rootfs" "{\"Entrypoint\": [\"/pause\"], $path}" "${others[@]}"
    install -D "${BINARY[coredns]}" "$WORK/dns/coredns"
    archive "$bin/kube-proxy.tar" "$WORK/dns" '{"Entrypoint": ["/coredns"]}' "${dns[@]}"
    mkdir "$WORK/nothing"
    for name in kube-controller-manager kube-scheduler; do
        archive "$bin/$name.tar" "$WORK/nothing" '{}' "registry.k8s.io/nothing-$name:$VERSION"
    done
}

build() {
    local key=$1 image=$2 start=$SECONDS name
    ((EUID == 0)) || fail "making a node image needs root"
    install_missing debootstrap=debootstrap jq=jq
    WORK=$(mktemp -d "$CACHE/node-XXXXXX")
    trap 'rm -rf --one-file-system "$WORK"' EXIT
    BASE=$WORK/base

    base
    docker rmi -f "projsync-kind-base:$key" >/dev/null 2>&1 || true
    tar -C "$BASE" -c . | docker import --change 'ENV container=docker' \
        --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' - "projsync-kind-base:$key" >/dev/null

    local bin=$WORK/server/kubernetes/server/bin
    mkdir -p "$bin"
    printf '%s\n' "$VERSION" >"$WORK/server/kubernetes/version"
    for name in kubeadm kubelet kubectl; do install "${BINARY[$name]}" "$bin/$name"; done
    server "$bin"
    tar -C "$WORK/server" -cf "$WORK/server.tar" kubernetes
    gzip -1 <"$WORK/server.tar" >"$WORK/server.tar.gz"

    say "building the node image ..."
    TMPDIR=$WORK "$KIND" build node-image --quiet --type file --base-image "projsync-kind-base:$key" \
        --image "projsync-kind-parts:$key" "$WORK/server.tar.gz" >"$CACHE/node-image.log" 2>&1 9>&- ||
        { tail -n 20 "$CACHE/node-image.log" >&2; fail "kind build node-image failed: see $CACHE/node-image.log"; }
    printf 'FROM projsync-kind-parts:%s\nSTOPSIGNAL SIGRTMIN+3\nCOPY manifests/ /kind/manifests/\n' "$key" |
        DOCKER_BUILDKIT=0 docker build --quiet --tag "$image" --file - "$KIND_DIR/node" >/dev/null
    # Its parts, and images of earlier pins that no cluster uses.
    docker rmi "projsync-kind-parts:$key" "projsync-kind-base:$key" >/dev/null 2>&1 || true
    docker images --format '{{.Repository}}:{{.Tag}}' projsync-kind-node | grep -vxF "$image" |
        xargs --no-run-if-empty docker rmi >/dev/null 2>&1 || true

    docker save "$image" >"$WORK/image.tar"
    rm -f "$CACHE"/node-image-*.tar
    mv "$WORK/image.tar" "$CACHE/node-image-$key.tar"
    say "built the node image in $((SECONDS - start)) s: $image"
}

ours() {
    local bin name key image kubernetes=$CONTROLPLANE/go/kubernetes flags
    VERSION=$(go_version "$kubernetes" k8s.io/kubernetes)
    ARCH=$(go env GOARCH)
    declare -gA BINARY
    bin=$(controlplane_binaries)
    for name in etcd kube-apiserver kube-controller-manager kube-scheduler kubectl; do
        BINARY[$name]=$bin/$name
    done
    flags="-s -w -X k8s.io/component-base/version.gitVersion=$VERSION"
    flags+=" -X k8s.io/component-base/version.gitMajor=$(cut -d. -f1 <<<"${VERSION#v}")"
    flags+=" -X k8s.io/component-base/version.gitMinor=$(cut -d. -f2 <<<"$VERSION")"
    for name in kubeadm kubelet kube-proxy; do
        BINARY[$name]=$(go_build "$name" "$kubernetes" "k8s.io/kubernetes/cmd/$name" -ldflags "$flags")
    done
    for name in containerd ctr containerd-shim-runc-v2; do
        BINARY[$name]=$(go_build "$name" "$KIND_DIR/go/containerd" \
            "github.com/containerd/containerd/v2/cmd/$name" -tags "$CONTAINERD_TAGS" -ldflags "-s -w")
    done
    BINARY[coredns]=$(go_build coredns "$KIND_DIR/go/coredns" . -ldflags "-s -w")
    for name in pause runc; do
        BINARY[$name]=$(go_build "$name" "$KIND_DIR/go/node" "./$name" -ldflags "-s -w")
    done

    key=$(printf '%s\n' "${BINARY[@]}" "$VERSION" "$(hash_of "$KIND_DIR"/node "$KIND_DIR"/node-image.sh)" |
        sort | sha256sum | cut -c1-12)
    image=projsync-kind-node:$key
    if docker image inspect "$image" >/dev/null 2>&1; then
        :
    elif [[ -s $CACHE/node-image-$key.tar ]]; then
        say "loading the node image ..."
        docker load --quiet --input "$CACHE/node-image-$key.tar" >/dev/null
    else
        build "$key" "$image"
    fi
    printf '%s\n' "$image"
}

KIND_SOURCE=$(cd "$KIND_DIR/go/kind" && GOWORK=off go mod download -json sigs.k8s.io/kind | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
case ${NODE_IMAGE:-} in
'' | build)
    lock "$CACHE/node-image.lock"
    KIND=$(kind_binary)
    { [[ -z ${NODE_IMAGE:-} ]] && official; } || ours
    ;;
*) printf '%s\n' "$NODE_IMAGE" ;;
esac
