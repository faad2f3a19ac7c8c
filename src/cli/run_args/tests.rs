use super::*;
use clap::Parser;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    run: RunArgs,
}

fn parse(args: &[&str]) -> Result<RunArgs, clap::Error> {
    Cli::try_parse_from(std::iter::once(&"projsync").chain(args)).map(|cli| cli.run)
}

#[test]
fn the_command_line_is_sound() {
    <Cli as clap::CommandFactory>::command().debug_assert();
}

#[test]
fn defaults() {
    let args = parse(&[]).expect("nothing is required");
    assert!(args.scope.namespaces().is_empty());
    assert_eq!(args.scope.concurrency, 8);
    assert!(args.scope.resource_versions_comparable);
    assert!(!args.scope.streaming_lists);
    assert_eq!(args.scope.watch_idle_timeout, Duration::from_secs(150));
    assert_eq!(args.scope.write_timeout, Duration::from_secs(10));
    assert_eq!(args.http.metrics_bind_address.to_string(), "[::]:8080");
    assert_eq!(args.http.debug_bind_address.to_string(), "127.0.0.1:6060");
    assert_eq!(args.logs.log_format, LogFormat::Json);
    assert_eq!(args.logs.log_level, "info");
    assert_eq!(
        args.lease.config("ns", "me"),
        LeaseConfig::new("ns", "projsync", "me")
    );
    assert_eq!(args.scope.client_options().requests_per_second, Some(500));
}

#[test]
fn flags() {
    let args = parse(&[
        "--namespaces=b,a,b",
        "--resource-versions-comparable=false",
        "--streaming-lists",
        "--metrics-bind-address=:0",
        "--debug-bind-address=[::1]:0",
        "--lease-duration=6s",
        "--lease-renew-deadline=4s",
        "--lease-retry-period=500ms",
        "--lease-name=other",
        "--requests-per-second=0",
        "--log-format=text",
    ])
    .expect("all valid");
    assert_eq!(
        args.scope.namespaces().into_iter().collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert!(!args.scope.resource_versions_comparable);
    assert!(args.scope.streaming_lists);
    assert_eq!(args.http.metrics_bind_address.port(), 0);
    let lease = args.lease.config("ns", "me");
    assert_eq!(
        (lease.name.as_str(), lease.lease_duration),
        ("other", Duration::from_secs(6))
    );
    assert_eq!(
        lease.request_timeout,
        Duration::from_secs(2),
        "half the deadline: one may be lost"
    );
    assert_eq!(args.scope.client_options().requests_per_second, None);
    assert!(
        !parse(&["--resource-versions-comparable", "false"])
            .expect("valid")
            .scope
            .resource_versions_comparable
    );
}

#[test]
fn bad_values_are_refused_with_a_reason() {
    for (flag, reason) in [
        ("--namespaces=a,B", "not the name of a namespace"),
        ("--namespaces=-a", "not the name of a namespace"),
        ("--operator-namespace=a.b", "not the name of a namespace"),
        (
            "--debug-bind-address=0.0.0.0:6060",
            "not a loopback address",
        ),
        ("--debug-bind-address=:6060", "not a loopback address"),
        ("--metrics-bind-address=8080", "not an address with a port"),
        ("--lease-duration=15", "a unit is missing"),
        ("--lease-duration=0s", "not above zero"),
        ("--write-timeout=25h", "not above zero and at most 24h"),
        ("--concurrency=0", "0 is not in 1..=1024"),
        ("--settle-floor=11m", "more than 10m"),
        ("--min-interval-floor=2h", "more than 1h"),
        ("--log-format=xml", "possible values"),
    ] {
        let error = parse(&[flag]).expect_err(flag).to_string();
        assert!(error.contains(reason), "{flag}: {error}");
    }
}

#[test]
fn an_identity_is_as_told_or_unique() {
    let mut args = parse(&["--identity=projsync-0"]).expect("valid").cluster;
    assert_eq!(args.identity().expect("told"), "projsync-0");
    args.identity = None;
    let (one, two) = (
        args.identity().expect("random"),
        args.identity().expect("random"),
    );
    assert_ne!(one, two);
    assert!(one.contains('_'));
}

const KUBECONFIG: &str = r#"
apiVersion: v1
kind: Config
current-context: plain
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {}}]
contexts:
- {name: plain, context: {cluster: c, user: u}}
- {name: named, context: {cluster: c, user: u, namespace: apps}}
- {name: default, context: {cluster: c, user: u, namespace: default}}
"#;

#[tokio::test]
async fn the_operators_namespace_is_told_or_the_contexts_or_the_usual() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config");
    std::fs::write(&path, KUBECONFIG).expect("written");
    let file = format!("--kubeconfig={}", path.display());
    for (flags, expected) in [
        (vec![], "projsync-system"),
        (vec!["--context=named"], "apps"),
        (vec!["--context=default"], "default"),
        (vec!["--context=named", "--operator-namespace=ops"], "ops"),
    ] {
        let mut args = parse(&[vec![file.as_str()], flags.clone()].concat())
            .expect("valid")
            .cluster;
        if !flags
            .iter()
            .any(|flag| flag.starts_with("--operator-namespace"))
        {
            args.operator_namespace = None; // whatever the environment says
        }
        let target = args.target().await.expect("a cluster");
        assert_eq!(target.operator_namespace, expected, "{flags:?}");
        assert_eq!(target.config.cluster_url.to_string(), "http://127.0.0.1:1/");
    }
    let missing = parse(&["--kubeconfig=/nonexistent/config"])
        .expect("valid")
        .cluster;
    let error = missing
        .target()
        .await
        .expect_err("no such file")
        .to_string();
    assert!(error.contains("/nonexistent/config"), "{error}");
    let context = parse(&[file.as_str(), "--context=none"])
        .expect("valid")
        .cluster;
    context.target().await.expect_err("no such context");
}
