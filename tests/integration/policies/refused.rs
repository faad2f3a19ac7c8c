//! Bad policies: refused by the schema, or reported.

use serde_json::{Value, json};
use testkit::{Result, config_map, deployment, policy};

use super::reason;
use crate::env::{Env, Told as _};

#[tokio::test]
async fn what_the_schema_can_tell_is_refused() -> Result {
    let env = Env::new().await?;
    let good = policy("good");
    let rollout = |rules: &Value| policy("bad").with("rollout", rules.clone());
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
        (
            rollout(&json!({"soak": "25h"})),
            "soak must be between 0s and 24h",
        ),
        (
            rollout(&json!({"deadline": "59s"})),
            "deadline must be between 1m and 24h",
        ),
        (
            rollout(&json!({"maxConcurrent": 0})),
            "should be greater than or equal to 1",
        ),
        (rollout(&json!({"maxConcurrent": "0%"})), "should match"),
        (rollout(&json!({"maxConcurrent": "101%"})), "should match"),
        (
            rollout(&json!({"onFailure": "Stop"})),
            "Unsupported value: \"Stop\"",
        ),
        (
            rollout(&waves(&[both()])),
            "give size or selector, not both",
        ),
        (
            rollout(&waves(&[sized("a"), selected("b")])),
            "waves with a selector come first",
        ),
        (
            rollout(&waves(&[rest("a"), sized("b")])),
            "waves with a selector come first",
        ),
        (
            rollout(&waves(&[rest("a"), rest("b")])),
            "waves with a selector come first",
        ),
        (
            rollout(&waves(&[sized("a"), sized("a")])),
            "Duplicate value",
        ),
    ];
    for (bad, told) in cases {
        let refused = env.create(&bad).await.unwrap_err();
        let refused = refused.root_cause().to_string();
        assert!(refused.contains(told), "{bad:?}: {refused}");
        assert!(!env.exists(&bad).await?);
    }
    env.create(&good).await?;
    let all = waves(&[selected("canary"), sized("half"), rest("rest")]);
    let number = json!({"maxConcurrent": 3, "urgent": [{"name": "db-*"}]});
    for (name, valid) in [("a", all), ("b", waves(&[])), ("c", number)] {
        env.create(&policy(name).with("rollout", valid)).await?;
    }
    Ok(())
}

fn waves(waves: &[Value]) -> Value {
    json!({ "waves": waves })
}

fn selected(name: &str) -> Value {
    json!({"name": name, "selector": {"matchLabels": {"canary": "true"}}})
}

fn sized(name: &str) -> Value {
    json!({"name": name, "size": "50%"})
}

fn rest(name: &str) -> Value {
    json!({ "name": name })
}

fn both() -> Value {
    json!({"name": "both", "size": 1, "selector": {"matchLabels": {"canary": "true"}}})
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
