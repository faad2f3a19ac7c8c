//! The chart and `config/` render the same objects.

use anyhow::{Result, ensure};

use crate::render::{Objects, helm, kustomize, objects, plane, root, succeeded, template};

/// Both have the same objects, and each is the same in both.
fn ensure_same(chart: &Objects, config: &Objects) -> Result<()> {
    ensure!(!config.is_empty(), "nothing was rendered");
    let names = |objects: &Objects| objects.keys().cloned().collect::<Vec<_>>();
    ensure!(
        names(chart) == names(config),
        "the chart has {:#?}\nconfig has {:#?}",
        names(chart),
        names(config)
    );
    for (name, object) in config {
        let of_chart = &chart[name];
        ensure!(
            of_chart == object,
            "{name} of the chart: {of_chart:#}\nof config: {object:#}"
        );
    }
    Ok(())
}

/// The label by which `config/default` marks what belongs together is on all of the chart's.
fn labelled(mut config: Objects) -> Objects {
    for object in config.values_mut() {
        object["metadata"]["labels"]["app.kubernetes.io/part-of"] = "projsync".into();
    }
    config
}

#[test]
fn for_a_whole_cluster() -> Result<()> {
    let mut config = objects(&kustomize("default")?)?;
    // Helm makes the namespace with --create-namespace, or takes one that is there.
    config.retain(|name, _| !name.starts_with("Namespace "));
    ensure_same(&objects(&template(&[])?)?, &config)
}

#[test]
fn for_a_few_namespaces() -> Result<()> {
    let chart = objects(&template(&[
        r#"namespaces=["a","b"]"#,
        "crds.install=false",
    ])?)?;
    let operator = kustomize("restricted/operator")?.replace("projsync-managed", "a,b");
    let mut config = objects(&operator)?;
    for namespace in ["a", "b"] {
        let roles = kustomize("restricted/namespace")?.replace("projsync-managed", namespace);
        config.extend(objects(&roles)?);
    }
    ensure_same(&chart, &config)?;
    for (name, object) in &chart {
        ensure!(
            object["metadata"]["namespace"].is_string(),
            "{name} belongs to the cluster as a whole"
        );
    }
    Ok(())
}

#[test]
fn of_monitoring_and_network() -> Result<()> {
    let mut chart = objects(&template(&[
        "metrics.serviceMonitor.enabled=true",
        "metrics.prometheusRule.enabled=true",
        "metrics.dashboard.enabled=true",
        "networkPolicy.enabled=true",
    ])?)?;
    let always = objects(&template(&[])?)?;
    chart.retain(|name, _| !always.contains_key(name));
    let mut config = Objects::new();
    for folder in ["prometheus", "grafana", "network-policy"] {
        config.extend(objects(&kustomize(folder)?)?);
    }
    ensure_same(&chart, &labelled(config))
}

#[test]
fn each_value_of_the_chart_reaches_what_it_names() -> Result<()> {
    let chart = objects(&template(&[
        r#"image={"repository":"example/projsync","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000"}"#,
        "replicas=1",
        r#"serviceAccount={"name":"other","annotations":{"a":"b"}}"#,
        r#"log={"level":"debug","format":"text"}"#,
        r#"extraArgs=["--concurrency=16"]"#,
        r#"resources={"limits":{"memory":"1Gi"}}"#,
        r#"nodeSelector={"disk":"ssd"}"#,
    ])?)?;
    let deployment = &chart["Deployment projsync-system/projsync"];
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(deployment["spec"]["replicas"], 1);
    assert_eq!(
        container["image"],
        format!("example/projsync@sha256:{}", "0".repeat(64))
    );
    assert_eq!(container["args"][1], "--concurrency=16");
    assert_eq!(container["resources"]["limits"]["memory"], "1Gi");
    assert_eq!(pod["serviceAccountName"], "other");
    assert_eq!(pod["nodeSelector"]["disk"], "ssd");
    let environment = container["env"].to_string();
    for wanted in [
        r#"{"name":"PROJSYNC_LOG_LEVEL","value":"debug"}"#,
        r#"{"name":"PROJSYNC_LOG_FORMAT","value":"text"}"#,
    ] {
        ensure!(environment.contains(wanted), "{environment} lacks {wanted}");
    }
    let policy = chart["ValidatingAdmissionPolicy /projsync-workloads"].to_string();
    ensure!(
        policy.contains("system:serviceaccount:projsync-system:other"),
        "{policy}"
    );
    assert_eq!(
        chart["ClusterRoleBinding /projsync-manager"]["subjects"][0]["name"],
        "other"
    );
    ensure!(
        !chart.keys().any(|name| name.starts_with("PodDisruption")),
        "a budget for one replica would block drains"
    );
    Ok(())
}

#[test]
fn clusters_that_choose_users_tokens_and_names_themselves_are_served() -> Result<()> {
    let chart = objects(&template(&[
        r#"podSecurityContext={"runAsUser":null,"runAsGroup":null}"#,
        r#"serviceAccount={"create":false,"name":"theirs","automountToken":false}"#,
        r#"extraVolumes=[{"name":"token","emptyDir":{}}]"#,
        r#"extraVolumeMounts=[{"name":"token","mountPath":"/token"}]"#,
        r#"commonLabels={"team":"platform"}"#,
        r#"deploymentAnnotations={"a":"b"}"#,
        r#"livenessProbe={"periodSeconds":30}"#,
        r#"networkPolicy={"enabled":true,"egressPorts":[16443]}"#,
    ])?)?;
    let deployment = &chart["Deployment projsync-system/projsync"];
    let pod = &deployment["spec"]["template"]["spec"];
    let security = &pod["securityContext"];
    assert_eq!(security["runAsNonRoot"], true);
    ensure!(security.get("runAsUser").is_none(), "{security}");
    ensure!(security.get("runAsGroup").is_none(), "{security}");
    assert_eq!(pod["serviceAccountName"], "theirs");
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["volumes"][0]["name"], "token");
    let container = &pod["containers"][0];
    assert_eq!(container["volumeMounts"][0]["mountPath"], "/token");
    assert_eq!(container["livenessProbe"]["periodSeconds"], 30);
    assert_eq!(container["livenessProbe"]["timeoutSeconds"], 5);
    assert_eq!(deployment["metadata"]["annotations"]["a"], "b");
    ensure!(!chart.keys().any(|name| name.starts_with("ServiceAccount ")));
    let policy = &chart["NetworkPolicy projsync-system/projsync"];
    assert_eq!(policy["spec"]["egress"][0]["ports"][0]["port"], 16443);
    for (name, object) in &chart {
        ensure!(object["metadata"]["labels"]["team"] == "platform", "{name}");
    }
    Ok(())
}

#[test]
fn two_releases_share_no_object_but_the_definitions() -> Result<()> {
    let release = |name: &str| -> Result<_> {
        let chart = root().join("charts/projsync");
        let mut helm = helm()?;
        helm.arg("template").arg(name).arg(chart);
        helm.args([
            "--namespace",
            name,
            "--set=metrics.serviceMonitor.enabled=true",
        ]);
        let mut objects = objects(&succeeded(helm.output()?)?)?;
        objects.retain(|name, _| !name.starts_with("CustomResourceDefinition "));
        Ok(objects)
    };
    let (one, other) = (release("one")?, release("two-projsync")?);
    for name in one.keys() {
        ensure!(!other.contains_key(name), "both have {name}");
    }
    let selector = &one["Deployment one/one-projsync"]["spec"]["selector"]["matchLabels"];
    for of in [
        &one["Service one/one-projsync-metrics"]["spec"]["selector"],
        &one["ServiceMonitor one/one-projsync"]["spec"]["selector"]["matchLabels"],
        &one["Service one/one-projsync-metrics"]["metadata"]["labels"],
        &one["Deployment one/one-projsync"]["spec"]["template"]["metadata"]["labels"],
    ] {
        assert_eq!(
            of["app.kubernetes.io/name"],
            selector["app.kubernetes.io/name"]
        );
    }
    let policy = one["ValidatingAdmissionPolicy /one-projsync-workloads"].to_string();
    ensure!(
        policy.contains("system:serviceaccount:one:one-projsync"),
        "{policy}"
    );
    let binding = &one["ValidatingAdmissionPolicyBinding /one-projsync-workloads"];
    assert_eq!(binding["spec"]["policyName"], "one-projsync-workloads");
    Ok(())
}

#[test]
fn the_notes_say_what_an_uninstall_leaves() -> Result<()> {
    let chart = root().join("charts/projsync");
    let mut helm = helm()?;
    helm.env("KUBECONFIG", plane().kubeconfig());
    // Another test installs the definitions there, as `make install` does.
    let options = ["--dry-run=client", "--take-ownership", "--namespace=ours"];
    helm.args(["install", "projsync"]).args(options);
    let said = succeeded(helm.arg(chart).output()?)?;
    let (_, notes) = said.split_once("NOTES:").unwrap_or_default();
    for left in [
        "kubectl delete secret/projsync-digest-key lease/projsync -n ours",
        "kubectl delete crds ",
        "projsync.dev/revision",
    ] {
        ensure!(notes.contains(left), "{notes} lacks {left}");
    }
    Ok(())
}

#[test]
fn values_are_checked() -> Result<()> {
    for wrong in [
        r#"log={"level":"debgu"}"#,
        r#"log={"level":"info,projsync"}"#,
        r#"networkPolicy={"egressPorts":["https"]}"#,
        "replica=3",
        r#"replicas="two""#,
        r#"namespaces=["Shop"]"#,
        r#"log={"format":"xml"}"#,
        r#"image={"digest":"latest"}"#,
    ] {
        ensure!(template(&[wrong]).is_err(), "{wrong} was taken");
    }
    let chart = root().join("charts/projsync");
    succeeded(helm()?.args(["lint", "--strict"]).arg(chart).output()?)?;
    Ok(())
}
