#!/usr/bin/env bash
# cluster.sh up NAME        makes a kind cluster; its kubeconfig is .../clusters/NAME/kubeconfig
# cluster.sh down NAME      deletes it
# cluster.sh load NAME FILE puts the images of an archive (docker save) on its node
# cluster.sh folder NAME    prints the folder of the cluster's files
# cluster.sh sweep          deletes clusters whose makers were killed
#
# The maker holds a lock on the folder's file `lock` while it needs the cluster; a file
# `keep` says that the cluster is to outlive it.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

CLUSTERS=$CACHE/clusters
NAME=${2:-}
FOLDER=$CLUSTERS/$NAME

up() {
    local kind image start=$SECONDS
    mkdir -p "$FOLDER"
    kind=$(kind_binary)
    image=$("$KIND_DIR/node-image.sh")
    say "creating the cluster $NAME ($image) ..."
    "$kind" create cluster --quiet --name "$NAME" --image "$image" --config "$KIND_DIR/cluster.yaml" \
        --kubeconfig "$FOLDER/kubeconfig" --wait 2m >&2
    say "creating the cluster $NAME ... $((SECONDS - start)) s"
}

down() {
    "$(kind_binary)" delete cluster --quiet --name "$NAME" --kubeconfig "$FOLDER/kubeconfig"
    rm -rf "$FOLDER"
}

load() {
    "$(kind_binary)" load image-archive --name "$NAME" "$3"
}

folder() { printf '%s\n' "$FOLDER"; }

sweep() {
    local folder
    for folder in "$CLUSTERS"/*/; do
        [[ -d $folder && ! -e $folder/keep ]] || continue
        if flock --nonblock "$folder/lock" true; then
            say "deleting the cluster $(basename "$folder"), whose maker is gone"
            "${BASH_SOURCE[0]}" down "$(basename "$folder")"
        fi
    done
}

command=${1:?up, down, load, folder or sweep}
[[ $command == sweep || -n $NAME ]] || fail "which cluster?"
"$command" "$@"
