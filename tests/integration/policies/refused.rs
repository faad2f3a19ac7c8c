//! Bad policies: refused by the schema, or reported.

use serde_json::json;
use testkit::{Result, config_map, deployment, policy};

use super::reason;
use crate::env::{Env, Told as _};

#[tokio::test]
async fn what_the_schema_can_tell_is_refused() -> Result {
    let env = Env::new().await?;
    let good = policy("good");
    let cases = [
        (
            good.clone().with("strategy", json!("Restart")),
            "Unsupported value: \"Restart\"",
        ),
        (
            good.clone().settle("11m"),
            "settle must be between 0s and 10m",
        ),
        (policy("true"), "a policy can't be named true or false"),
    ];
    for (bad, told) in cases {
        let refused = env.create(&bad).await.unwrap_err();
        let refused = refused.root_cause().to_string();
        assert!(refused.contains(told), "{bad:?}: {refused}");
        assert!(!env.exists(&bad).await?);
    }
    env.create(&good).await.map(drop)
}

#[tokio::test]
async fn what_it_cannot_is_reported_while_others_go_on() -> Result {
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1");
    let web = deployment("web").uses(app.volume());
    let good = policy("good").fast();
    env.create_all(&[&app, &web, &good]).await?;
    env.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;

    let label = |value: &str| json!({"selector": {"matchLabels": {"tier": value}}});
    let first = policy("first").priority(1).suspended(true);
    let pattern = json!({"exclude": [{"name": "[a"}]});
    let cases = [
        (
            first.clone().with("workloads", label("-front")),
            "InvalidSelector",
            "spec.workloads.selector: matchLabels: \"-front\"",
        ),
        (
            policy("second").with("sources", pattern),
            "InvalidPattern",
            "spec.sources.exclude[0].name: \"[a\"",
        ),
    ];
    for (bad, expected, told) in &cases {
        env.create(bad).await?;
        let status = env.policy_status(bad).await?;
        assert_eq!((reason(&status).as_str(), status.workloads), (*expected, 0));
        let message = &status.conditions[0].message;
        assert!(message.starts_with(told), "{message}");
    }
    let edit = env.set(&app, "a", "2").await?;
    operator.acted(&[&edit]).await?;
    env.assert_only(&[(&web, 1)]).await
}
