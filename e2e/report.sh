#!/usr/bin/env bash
# report.sh FOLDER: saves what the cluster of $KUBECONFIG looks like, for a failed run.
# Secrets are not among it.
set -uo pipefail
folder=${1:?folder}
mkdir -p "$folder/logs"

kubectl get nodes,pods,deployments,replicasets,statefulsets,daemonsets,jobs --all-namespaces --output wide \
    >"$folder/overview.txt" 2>&1
kubectl get events --all-namespaces --sort-by .metadata.creationTimestamp >"$folder/events.txt" 2>&1
for kind in pods deployments replicasets statefulsets daemonsets configmaps \
    projections syncpolicies clustersyncpolicies leases; do
    kubectl get "$kind" --all-namespaces --output yaml >"$folder/$kind.yaml" 2>&1
done
kubectl describe pods --all-namespaces >"$folder/pods-described.txt" 2>&1
kubectl get pods --all-namespaces --no-headers \
    --output custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name |
    while read -r namespace pod; do
        kubectl --namespace "$namespace" logs "$pod" --all-containers --prefix \
            >"$folder/logs/$namespace.$pod.log" 2>&1
        kubectl --namespace "$namespace" logs "$pod" --all-containers --prefix --previous \
            >"$folder/logs/$namespace.$pod.previous.log" 2>/dev/null ||
            rm -f "$folder/logs/$namespace.$pod.previous.log"
    done
