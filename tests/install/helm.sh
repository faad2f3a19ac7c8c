#!/usr/bin/env bash
# Prints where the pinned Helm is, building it once.
source "$(dirname "${BASH_SOURCE[0]}")/../../e2e/kind/lib.sh"

module=$ROOT/tests/install/helm
# Helm's own build tells it so which Kubernetes to assume where it asks none: v0.34.0 is 1.34.
kubernetes=$(go_version "$module" k8s.io/client-go | cut -d. -f2)
flags="-s -w -X helm.sh/helm/v3/internal/version.version=$(go_version "$module" helm.sh/helm/v3)"
for package in chartutil lint/rules; do
    flags+=" -X helm.sh/helm/v3/pkg/$package.k8sVersionMajor=1"
    flags+=" -X helm.sh/helm/v3/pkg/$package.k8sVersionMinor=$kubernetes"
done
go_build helm "$module" helm.sh/helm/v3/cmd/helm -ldflags "$flags"
