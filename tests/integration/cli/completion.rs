//! Completion of names, by bash and by kubectl.

use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context as _, ensure};
use testkit::{Result, config_map, deployment, output};

use super::User;
use crate::env::Env;

const BINARY: &str = env!("CARGO_BIN_EXE_projsync");

/// A folder with the command under all its names, and kubectl.
fn installed(kubectl: &Path) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    for name in ["projsync", "kubectl-projsync", "kubectl_complete-projsync"] {
        symlink(BINARY, folder.path().join(name))?;
    }
    symlink(kubectl, folder.path().join("kubectl"))?;
    Ok(folder)
}

/// Has bash press tab behind a line.
const TAB: &str = r#"
source <(projsync completions bash)
COMP_LINE=$* COMP_POINT=${#COMP_LINE} COMP_TYPE=9
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_clap_complete_projsync projsync "${@: -1}" "${@: -2:1}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

#[tokio::test]
async fn names_are_completed_as_far_as_one_may_see_them() -> Result {
    let env = Env::new().await?;
    let app = config_map("app");
    env.create_all(&[
        &app,
        &deployment("web").replicas(0),
        &deployment("worker").replicas(0),
    ])
    .await?;
    let user = User::new(&env).await?;
    let kubectl = env.cluster.plane().kubectl();
    let folder = installed(&kubectl)?;
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH")?);
    let run = async |kubeconfig: &Path, program: &str, arguments: &[&str]| {
        let mut command = tokio::process::Command::new(program);
        command
            .args(arguments)
            .env("PATH", &path)
            .env("KUBECONFIG", kubeconfig);
        output(&mut command, "").await
    };
    let admin = env.cluster.plane().kubeconfig();
    let reader = user.kubeconfig();

    let bash = async |words: &[&str]| {
        let line = [&["-c", TAB, "bash", "projsync"], words].concat();
        Ok::<_, anyhow::Error>(run(&reader, "bash", &line).await?.trim().to_owned())
    };
    ensure!(bash(&["exp"]).await? == "explain");
    let said = bash(&["explain", ""]).await?;
    ensure!(
        said.starts_with("deployment/\nstatefulset/\ndaemonset/\n"),
        "{said:?}"
    );
    let said = bash(&["explain", "deploy/w"]).await?;
    ensure!(said == "deploy/web\ndeploy/worker", "{said:?}");
    let said = bash(&["explain", "deployment", "wo"]).await?;
    ensure!(said == "worker", "{said:?}");
    // One may not list ConfigMaps; that is no error.
    let said = bash(&["tree", "cm/a"]).await?;
    ensure!(said.is_empty(), "{said:?}");

    let namespace = env.namespace.as_str();
    let tab = async |words: &[&str]| {
        run(
            admin,
            "kubectl",
            &[&["__complete", "projsync"], words].concat(),
        )
        .await
    };
    let said = tab(&["tree", "-n", namespace, "cm/a"]).await?;
    ensure!(said.lines().next() == Some("cm/app"), "{said:?}");
    let said = tab(&["tree", "-n", namespace, "sec"]).await?;
    ensure!(said.lines().take(2).eq(["secret/", ":6"]), "{said:?}");
    let said = tab(&["status", "-n", &namespace[..namespace.len() - 1]]).await?;
    ensure!(said.lines().any(|line| line == namespace), "{said:?}");
    let said = tab(&["status", "--exit"]).await?;
    let first = said.lines().next().context("nothing")?;
    ensure!(
        first.starts_with("--exit-code\tShow by the exit code"),
        "{said:?}"
    );
    Ok(())
}
