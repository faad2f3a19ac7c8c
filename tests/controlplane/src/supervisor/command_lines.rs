//! The arguments of each component.

use std::fs;
use std::path::Path;

use controlplane::Component;

use super::Stop;
use super::credentials::Credentials;
use super::nodes::FAKE;

/// etcd's sockets, relative to the data folder, in which the components run:
/// no port to fight for, and no other control plane's etcd to reach by mistake.
const ETCD: &str = "unix://etcd.sock:0";
const ETCD_PEER: &str = "unix://etcd-peer.sock:0";

/// The arguments of a component, its configuration files written into `data`.
pub(crate) fn arguments(
    component: Component,
    data: &Path,
    credentials: &Credentials,
    port: u16,
    audit: bool,
) -> Result<Vec<String>, Stop> {
    let kubeconfig = credentials.kubeconfig_of(component).display().to_string();
    let arguments = match component {
        Component::Etcd => etcd(),
        Component::KubeApiserver => api_server(data, credentials, port, audit)?,
        Component::KubeControllerManager => controller_manager(credentials, &kubeconfig),
        Component::KubeScheduler => scheduler(data, &kubeconfig)?,
        Component::Kwok => kwok(data, &kubeconfig)?,
    };
    Ok(arguments)
}

fn etcd() -> Vec<String> {
    vec![
        "--data-dir=etcd".to_owned(),
        // The data need not outlive a crash of the machine.
        "--unsafe-no-fsync".to_owned(),
        // Ten thousand workloads fill more than the 2 GiB of the default between two
        // compactions.
        "--quota-backend-bytes=8589934592".to_owned(),
        format!("--listen-client-urls={ETCD}"),
        format!("--advertise-client-urls={ETCD}"),
        format!("--listen-peer-urls={ETCD_PEER}"),
        format!("--initial-advertise-peer-urls={ETCD_PEER}"),
        format!("--initial-cluster=default={ETCD_PEER}"),
        "--log-level=warn".to_owned(),
    ]
}

fn api_server(
    data: &Path,
    credentials: &Credentials,
    port: u16,
    audit: bool,
) -> Result<Vec<String>, Stop> {
    let mut arguments = vec![
        format!("--etcd-servers={ETCD}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        "--permit-port-sharing".to_owned(),
        format!(
            "--tls-cert-file={}",
            credentials.server_certificate().display()
        ),
        format!(
            "--tls-private-key-file={}",
            credentials.server_key().display()
        ),
        "--authorization-mode=RBAC".to_owned(),
        format!("--token-auth-file={}", credentials.tokens().display()),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!(
            "--service-account-key-file={}",
            credentials.service_account_public_key().display()
        ),
        format!(
            "--service-account-signing-key-file={}",
            credentials.service_account_key().display()
        ),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        // No Pod could reach a Service's address anyway, and 127.0.0.1 is no
        // valid endpoint.
        "--endpoint-reconciler-type=none".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        "--allow-privileged".to_owned(),
        "--profiling=false".to_owned(),
    ];
    if audit {
        let policy = data.join("audit-policy.yaml");
        write(&policy, include_str!("../../config/audit-policy.yaml"))?;
        arguments.extend([
            format!("--audit-policy-file={}", policy.display()),
            format!("--audit-log-path={}", data.join("audit.log").display()),
            // A record is in the file before its request is answered.
            "--audit-log-mode=blocking".to_owned(),
            // Megabytes; it must not be rotated away from its reader.
            "--audit-log-maxsize=100000".to_owned(),
        ]);
    }
    Ok(arguments)
}

fn controller_manager(credentials: &Credentials, kubeconfig: &str) -> Vec<String> {
    vec![
        format!("--kubeconfig={kubeconfig}"),
        format!("--root-ca-file={}", credentials.ca().display()),
        format!(
            "--service-account-private-key-file={}",
            credentials.service_account_key().display()
        ),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        "--kube-api-qps=1000".to_owned(),
        "--kube-api-burst=2000".to_owned(),
        // Nodes have no heartbeat here, neither kwok's nor a test's own.
        "--node-monitor-grace-period=24h".to_owned(),
        "--node-startup-grace-period=24h".to_owned(),
        "--profiling=false".to_owned(),
    ]
}

fn scheduler(data: &Path, kubeconfig: &str) -> Result<Vec<String>, Stop> {
    let config = data.join("kube-scheduler.yaml");
    let text = serde_json::json!({
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": kubeconfig, "qps": 1000, "burst": 2000},
        "leaderElection": {"leaderElect": false},
        "enableProfiling": false,
    });
    write(&config, &text.to_string())?;
    Ok(vec![
        format!("--config={}", config.display()),
        "--secure-port=0".to_owned(),
    ])
}

fn kwok(data: &Path, kubeconfig: &str) -> Result<Vec<String>, Stop> {
    let config = data.join("kwok.yaml");
    write(&config, include_str!("../../config/kwok.yaml"))?;
    let (annotation, value) = FAKE;
    Ok(vec![
        format!("--config={}", config.display()),
        format!("--kubeconfig={kubeconfig}"),
        "--manage-all-nodes=false".to_owned(),
        format!("--manage-nodes-with-annotation-selector={annotation}={value}"),
        // No heartbeats: a Lease a node every few seconds helps no test.
        "--node-lease-duration-seconds=0".to_owned(),
        // No port for the logs and exec of fake containers.
        "--node-port=0".to_owned(),
        "--cidr=10.0.0.0/8".to_owned(),
    ])
}

fn write(path: &Path, text: &str) -> Result<(), Stop> {
    fs::write(path, text).map_err(Stop::because(path.display()))
}
