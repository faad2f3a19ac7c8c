//! How the command line reaches a cluster: as kubectl does.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use parking_lot::Mutex;
use serde_json::{Value, json};
use testkit::{Result, eventually, object};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::User;
use crate::env::Env;

/// A name that only the proxy knows.
const SERVER: &str = "api.example.test:443";

/// An HTTP proxy that leads every CONNECT to one server.
struct Connect {
    address: SocketAddr,
    /// What was asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Connect {
    async fn to(server: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heads = Arc::clone(&asked);
        let server = server.to_owned();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(tunnel(client, server.clone(), Arc::clone(&heads)));
            }
        });
        Ok(Self { address, asked })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }
}

async fn tunnel(mut client: TcpStream, server: String, asked: Arc<Mutex<Vec<String>>>) -> Result {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8(head)?;
    asked.lock().push(head);
    let mut server = TcpStream::connect(server).await?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// The administrator's kubeconfig, with other fields in its cluster.
fn kubeconfig(env: &Env, cluster: Value) -> Result<Value> {
    let text = std::fs::read_to_string(env.cluster.plane().kubeconfig())?;
    let mut config: Value = serde_saphyr::from_str(&text)?;
    let own = config["clusters"][0]["cluster"].as_object_mut();
    let own = own.context("no cluster in the kubeconfig")?;
    own.extend(cluster.as_object().context("no object")?.clone());
    Ok(config)
}

/// `projsync status` with these variables.
async fn status(env: &Env, variables: &[(&str, &str)], arguments: &[&str]) -> Result<Output> {
    let mut command: Command = controlplane::guarded(env!("CARGO_BIN_EXE_projsync").as_ref())?;
    for name in [
        "HTTPS_PROXY",
        "https_proxy",
        "NO_PROXY",
        "no_proxy",
        "KUBECONFIG",
    ] {
        command.env_remove(name);
    }
    command
        .args(["status", "-n", &env.namespace])
        .args(["--operator-namespace", &env.home.namespace])
        .args(arguments)
        .envs(variables.iter().copied());
    Ok(tokio::task::spawn_blocking(move || command.output()).await??)
}

fn succeeded(output: &Output) -> Result {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_proxy_leads_to_the_api_server() -> Result {
    let env = Env::new().await?;
    let _operator = env.operator(&[]).await?;
    let plane = env.cluster.plane();
    let server = plane.server().trim_start_matches("https://");
    let (host, _) = server.rsplit_once(':').context("no port")?;
    let proxy = Connect::to(server).await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("config");
    let write = |cluster: Value| -> Result<()> {
        std::fs::write(&path, kubeconfig(&env, cluster)?.to_string())?;
        Ok(())
    };
    let url = format!("http://user:p%40ss@{}", proxy.address);
    let file: &str = path.to_str().context("no UTF-8")?;
    let named = json!({"server": format!("https://{SERVER}"), "tls-server-name": host});

    // By the kubeconfig, whatever NO_PROXY says.
    let mut with_url = named.clone();
    with_url["proxy-url"] = json!(url);
    write(with_url)?;
    let variables = [("NO_PROXY", "example.test,127.0.0.1")];
    succeeded(&status(&env, &variables, &["--kubeconfig", file]).await?)?;
    let asked = proxy.asked();
    let head = asked.first().context("the proxy was not asked")?;
    ensure!(head.starts_with(&format!("CONNECT {SERVER} ")), "{head}");
    // "user:p@ss"
    ensure!(
        head.to_lowercase()
            .contains("\r\nproxy-authorization: basic "),
        "{head}"
    );
    ensure!(head.contains("dXNlcjpwQHNz"), "{head}");

    // By the environment.
    write(named)?;
    let before = proxy.asked().len();
    let variables = [("HTTPS_PROXY", &*url), ("NO_PROXY", "other.test")];
    succeeded(&status(&env, &variables, &["--kubeconfig", file]).await?)?;
    ensure!(proxy.asked().len() > before, "the proxy was not asked");

    // NO_PROXY is about the server, not about the proxy.
    let before = proxy.asked().len();
    let variables = [("HTTPS_PROXY", &*url), ("NO_PROXY", "127.0.0.1")];
    succeeded(&status(&env, &variables, &["--kubeconfig", file]).await?)?;
    ensure!(proxy.asked().len() > before, "the proxy was not asked");
    let before = proxy.asked().len();
    let variables = [("HTTPS_PROXY", &*url), ("NO_PROXY", ".example.test")];
    let output = status(&env, &variables, &["--kubeconfig", file]).await?;
    ensure!(!output.status.success(), "nobody knows the name");
    ensure!(proxy.asked().len() == before, "{:?}", proxy.asked());
    Ok(())
}

#[tokio::test]
async fn a_list_of_kubeconfigs_may_name_files_that_are_missing() -> Result {
    let env = Env::new().await?;
    let _operator = env.operator(&[]).await?;
    let folder = tempfile::tempdir()?;
    let missing = folder.path().join("missing");
    let paths = [&*missing, env.cluster.plane().kubeconfig(), Path::new("")];
    let list = std::env::join_paths(paths)?;
    let list = list.to_str().context("no UTF-8")?;
    succeeded(&status(&env, &[("KUBECONFIG", list)], &[]).await?)
}

#[tokio::test]
async fn one_may_act_as_somebody_else() -> Result {
    let env = Env::new().await?;
    let _operator = env.operator(&[]).await?;
    let user = User::new(&env).await?;
    let namespace = env.namespace.as_str();
    let api = "rbac.authorization.k8s.io/v1";
    // Jane may nothing; the developers may read.
    let mut binding = object(api, "RoleBinding", "developers");
    binding["roleRef"] = json!({
        "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader",
    });
    binding["subjects"] = json!([{
        "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "developers",
    }]);
    let mut role = object(api, "ClusterRole", &format!("{namespace}-impersonator"));
    role["rules"] = json!([
        {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"],
            "resourceNames": ["jane"]},
        {"apiGroups": [""], "resources": ["groups"], "verbs": ["impersonate"],
            "resourceNames": ["developers"]},
        {"apiGroups": ["authentication.k8s.io"], "resources": ["uids"],
            "verbs": ["impersonate"], "resourceNames": ["7"]},
    ]);
    let mut may = object(
        api,
        "ClusterRoleBinding",
        &format!("{namespace}-impersonator"),
    );
    may["roleRef"] = json!({
        "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
        "name": role["metadata"]["name"],
    });
    may["subjects"] = json!([{
        "kind": "ServiceAccount", "name": "default", "namespace": namespace,
    }]);
    env.create_all(&[&binding, &role, &may]).await?;

    let fails = async |arguments: &[&str], expected: &str| -> Result {
        eventually(format!("{arguments:?}"), async || {
            let output = user.run(arguments).await?;
            let said = String::from_utf8(output.stderr)?;
            ensure!(
                output.status.code() == Some(1) && said.contains(expected),
                "{said}"
            );
            Ok(Some(()))
        })
        .await
    };
    let jane = ["status", "--as", "jane"];
    fails(&jane, "you may not read projections.projsync.dev").await?;
    let told = "you may not act as somebody else: 403 Forbidden: users \"bob\" is forbidden";
    fails(&["tree", "cm/app", "--as=bob"], told).await?;
    fails(&["status", "--as-group=developers"], "need --as").await?;
    eventually("the developers may read", async || {
        let developers = ["--as-group", "developers", "--as-uid", "7"];
        user.prints(0, &[&jane, developers.as_slice()].concat())
            .await?;
        Ok(Some(()))
    })
    .await
}
