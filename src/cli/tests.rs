//! The command line as a whole.

use super::*;

fn parse(line: &str) -> Result<Command, clap::Error> {
    let arguments = std::iter::once("projsync").chain(line.split(' '));
    Cli::try_parse_from(arguments).map(|cli| cli.command)
}

#[test]
fn the_definition_is_sound() {
    command("projsync").debug_assert();
    command(PLUGIN).debug_assert();
}

#[test]
fn the_plugin_is_called_as_users_type_it() {
    let cases = [
        ("/usr/local/bin/kubectl-projsync", PLUGIN),
        ("kubectl_projsync", PLUGIN),
        ("/usr/local/bin/kubectl_complete-projsync", PLUGIN),
        ("target/debug/projsync", "projsync"),
        ("other", "projsync"),
    ];
    for (called, expected) in cases {
        assert_eq!(program(Some(&called.into())), expected, "{called}");
    }
    assert_eq!(program(None), "projsync");
    for name in ["projsync", PLUGIN] {
        let error = command(name)
            .try_get_matches_from(["x", "tree", "--help"])
            .unwrap_err();
        let usage = format!("Usage: {name} tree [OPTIONS]");
        assert!(error.to_string().contains(&usage), "{error}");
    }
}

#[test]
fn sensible_lines_are_understood() {
    let lines = [
        "status",
        "status deployment/web sts/db -n shop --wait --timeout 90s",
        "status -A -o wide --watch",
        "status deployment web api --exit-code",
        "status -l app=web --exit-code -o json",
        "status --wait --stable-for 0s",
        "tree cm/app --keys log.level,color -n shop",
        "tree secret db -n shop",
        "tree deploy/web -o yaml --context prod",
        "explain deploy web --as jane --as-group devs --as-group ops --as-uid 7",
        "explain ds/agent --kubeconfig /tmp/config",
        "completions zsh",
        "crds",
        "run",
    ];
    for line in lines {
        if let Err(error) = parse(line) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn senseless_lines_are_refused_with_code_2() {
    let lines = [
        "",
        "status web",
        "status cm/app",
        "status -A -n shop",
        "status -A deployment/web",
        "status deployment",
        "status deployment sts/db",
        "status --watch --wait",
        "status --wait --timeout 0s",
        "status --wait --timeout 10",
        "status -o xml",
        "status -n Shop",
        "tree",
        "tree app",
        "tree cm a b",
        "tree cm/a cm/b",
        "tree job/x",
        "explain cm/app",
        "explain deployment/web -n ../kube-system",
    ];
    for line in lines {
        let error = parse(line).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}: {error}");
    }
}

#[test]
fn causes_are_said_once() {
    let inner = anyhow::anyhow!("refused");
    assert_eq!(chain(&inner.context("can't write")), "can't write: refused");
    let inner = anyhow::anyhow!("refused");
    assert_eq!(chain(&inner.context("it was refused")), "it was refused");
}
