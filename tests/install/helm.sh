#!/usr/bin/env bash
# Prints where the pinned Helm is, building it once.
source "$(dirname "${BASH_SOURCE[0]}")/../../e2e/kind/lib.sh"
version=$(go_version "$ROOT/tests/install/helm" helm.sh/helm/v3)
go_build helm "$ROOT/tests/install/helm" helm.sh/helm/v3/cmd/helm \
    -ldflags "-s -w -X helm.sh/helm/v3/internal/version.version=$version"
