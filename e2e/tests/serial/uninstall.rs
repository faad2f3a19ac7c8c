//! `make undeploy` leaves nothing of Projsync, and users' workloads alone.

use anyhow::{Result, ensure};
use e2e::{Operator, eventually, kubectl, make};

use crate::users::Users;

/// All that could be of Projsync: objects with its labels or its name, of whatever kind.
pub(crate) fn remains() -> Result<Vec<String>> {
    let mut found = Vec::new();
    let kinds = ["api-resources", "--verbs=list", "--output=name"];
    for kind in kubectl(&kinds, "")?.lines() {
        // They expire, and tell what once was.
        if kind.starts_with("events") {
            continue;
        }
        let list = [
            "get",
            kind,
            "--all-namespaces",
            "--ignore-not-found",
            "--output=name",
        ];
        let objects = kubectl(&list, "")?;
        let ours = objects.lines().filter(|name| name.contains("projsync"));
        found.extend(ours.map(str::to_owned));
        for label in ["app.kubernetes.io/part-of", "app.kubernetes.io/managed-by"] {
            let selector = format!("--selector={label}=projsync");
            let objects = kubectl(&[&list[..], &[&selector]].concat(), "")?;
            found.extend(objects.lines().map(str::to_owned));
        }
    }
    Ok(found)
}

#[test]
fn nothing_is_left_and_nothing_rolls() -> Result<()> {
    let operator = Operator::INSTALLED;
    operator.deploy(&Operator::image()?)?;
    let mut users = Users::create("uninstall", 2)?;
    users.managed()?;
    users.change()?;
    users.assert_rolled()?;
    let pods = users.pods()?;

    make(&["undeploy"])?;
    eventually("nothing is left", || {
        let found = remains()?;
        ensure!(found.is_empty(), "{found:?}");
        Ok(Some(()))
    })?;
    users.assert_untouched(&pods)?;

    // Nor does it roll them when it comes back and sees them for the first time.
    operator.deploy(&Operator::image()?)?;
    users.managed()?;
    users.assert_untouched(&pods)?;
    users.change()?;
    users.assert_rolled()?;
    users.namespace.done()
}
