//! A source or key that is not there: Pods are never rolled into a state in which
//! they could not start.

use projsync::api::projection::State;
use testkit::{
    Edit, Object as _, Operator, Result, Source, Use, Workload, config_map, daemon_set, deployment,
    eventually, policy, secret, stateful_set,
};

use crate::env::{Env, Told as _};

/// A workload and the source that it alone projects, which bears its name.
struct Case {
    workload: Workload,
    source: Source,
    /// Whether it selects key `a`, so that no Pod starts without it.
    selects: bool,
}

fn case(
    workload: fn(&str) -> Workload,
    source: fn(&str) -> Source,
    name: &str,
    selects: bool,
    uses: impl Fn(&Source) -> Use,
) -> Case {
    let source = source(name).data("a", "1").data("b", "1");
    Case {
        workload: workload(name).uses(uses(&source)),
        source,
        selects,
    }
}

/// Ways to require a source, or a key of it.
fn required() -> Vec<Case> {
    vec![
        case(stateful_set, secret, "projected", false, Source::projected),
        case(daemon_set, config_map, "items", true, |s| {
            s.volume().items(&["a"])
        }),
        case(deployment, secret, "env", true, |s| s.env("A", "a")),
    ]
}

/// All cases created, and an operator to which they are in sync.
async fn started(cases: &[Case]) -> Result<(Env, Operator)> {
    let env = Env::new().await?;
    env.create(&policy("fast").fast()).await?;
    for case in cases {
        env.create_all(&[&case.source, &case.workload]).await?;
    }
    for case in cases {
        env.rolled_out(&case.workload).await?;
    }
    let operator = env.operator(&[]).await?;
    operator.all_in_sync(cases.len()).await?;
    Ok((env, operator))
}

async fn acted(operator: &Operator, edits: &[Edit]) -> Result {
    operator.acted(&edits.iter().collect::<Vec<_>>()).await
}

async fn delete_all(env: &Env, cases: &[Case]) -> Result<Vec<Edit>> {
    let mut edits = Vec::new();
    for case in cases {
        edits.push(env.delete(&case.source).await?);
    }
    Ok(edits)
}

/// Asserts that the operator has rolled each case so often, and wrote nothing else.
async fn assert_rolls(env: &Env, cases: &[Case], count: impl Fn(&Case) -> usize) -> Result {
    let rolls: Vec<_> = cases.iter().map(|c| (&c.workload, count(c))).collect();
    env.assert_only(&rolls).await?;
    for (workload, _) in rolls {
        env.rolled_out(workload).await?;
    }
    Ok(())
}

/// Waits until Projection and Event say that it is held, and what is missing.
async fn held(env: &Env, case: &Case, reason: &str, what: &str) -> Result {
    let workload = &case.workload;
    env.reported(workload, Some(State::Held), |s| s.summary.state)
        .await?;
    env.reported(workload, vec![true], |s| {
        s.references.iter().map(|one| one.missing).collect()
    })
    .await?;
    eventually(format!("an Event about {what}"), async || {
        let events = env.events(workload).await?;
        let found = events.iter().any(|(r, n)| r == reason && n.contains(what));
        anyhow::ensure!(found, "{events:?}");
        Ok(Some(()))
    })
    .await
}

#[tokio::test]
async fn a_required_source_that_goes_holds_until_it_is_back() -> Result {
    let cases = required();
    let (env, operator) = started(&cases).await?;

    acted(&operator, &delete_all(&env, &cases).await?).await?;
    for case in &cases {
        operator.decided(&case.workload, "SourceMissing").await?;
        let what = format!("{}/{}", case.source.kind().as_str(), case.workload.name());
        held(&env, case, "SourceMissing", &what).await?;
    }
    env.assert_only(&[]).await?;

    // The same content: nothing has changed.
    let mut edits = Vec::new();
    for case in &cases {
        edits.push(env.create(&case.source).await?);
    }
    acted(&operator, &edits).await?;
    operator.all_in_sync(cases.len()).await?;
    env.assert_only(&[]).await?;

    // Other content: one roll, once it is there.
    acted(&operator, &delete_all(&env, &cases).await?).await?;
    env.assert_only(&[]).await?;
    let mut edits = Vec::new();
    for case in &cases {
        edits.push(env.create(&case.source.clone().data("a", "2")).await?);
    }
    acted(&operator, &edits).await?;
    assert_rolls(&env, &cases, |_| 1).await?;
    operator.all_in_sync(cases.len()).await
}

#[tokio::test]
async fn a_required_key_that_goes_holds_until_it_is_back() -> Result {
    let cases = required();
    let (env, operator) = started(&cases).await?;
    let unset = async || {
        let mut edits = Vec::new();
        for case in &cases {
            edits.push(env.unset(&case.source, "a").await?);
        }
        acted(&operator, &edits).await
    };
    let set = async |value: &str| {
        let mut edits = Vec::new();
        for case in &cases {
            edits.push(env.set(&case.source, "a", value).await?);
        }
        acted(&operator, &edits).await?;
        operator.all_in_sync(cases.len()).await
    };
    // To the others it is a change like any other.
    let rolls = async |selecting, others| {
        let count = |case: &Case| if case.selects { selecting } else { others };
        assert_rolls(&env, &cases, count).await
    };

    unset().await?;
    for case in cases.iter().filter(|case| case.selects) {
        operator.decided(&case.workload, "KeyMissing").await?;
        let what = format!(
            "Key a of {}/{}",
            case.source.kind().as_str(),
            case.workload.name()
        );
        held(&env, case, "KeyMissing", &what).await?;
    }
    rolls(0, 1).await?;
    set("1").await?;
    rolls(0, 2).await?;
    unset().await?;
    rolls(0, 3).await?;
    set("2").await?;
    rolls(1, 4).await
}

#[tokio::test]
async fn an_optional_one_that_comes_and_goes_rolls_each_time() -> Result {
    let cases = vec![
        case(stateful_set, secret, "projected", true, |s| {
            s.projected().items(&["a"]).optional()
        }),
        case(daemon_set, config_map, "env-from", false, |s| {
            s.env_from("").optional()
        }),
    ];
    let (env, operator) = started(&cases).await?;
    for count in 1..=4 {
        let mut edits = Vec::new();
        for Case { source, .. } in &cases {
            edits.push(match count {
                1 => env.delete(source).await?,
                2 => env.create(source).await?,
                3 => env.unset(source, "a").await?,
                _ => env.set(source, "a", "1").await?,
            });
        }
        acted(&operator, &edits).await?;
        assert_rolls(&env, &cases, |_| count).await?;
        operator.all_in_sync(cases.len()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_waits_for_its_source_has_what_appears_and_what_ran_has_not() -> Result {
    let env = Env::new().await?;
    env.create(&policy("fast").fast()).await?;
    let mut cases = required();
    // As a kubelet does it: no container starts before. kwok starts the others' at once,
    // as if they had another source before.
    for pending in required() {
        let (name, uses) = (
            format!("{}-pending", pending.workload.name()),
            pending.source,
        );
        let workload = deployment(&name).ready_after("24h");
        let source = Source::new(uses.kind(), &name).data("a", "1");
        cases.push(Case {
            workload: workload.uses(source.env("A", "a")),
            source,
            selects: true,
        });
    }
    let is_pending = |case: &Case| case.workload.name().ends_with("-pending");
    // Whose events tell when a container started.
    let mut operator = env.operator(&[]).await?;
    for case in &cases {
        env.create(&case.workload).await?;
    }
    for case in cases.iter().filter(|case| !is_pending(case)) {
        env.rolled_out(&case.workload).await?;
    }
    for case in &cases {
        operator.decided(&case.workload, "SourceMissing").await?;
    }
    let rolls = |times: usize| {
        let ran = |case: &Case| if is_pending(case) { 0 } else { times };
        let rolls = cases.iter().map(|case| (&case.workload, ran(case)));
        rolls.collect::<Vec<_>>()
    };
    let mut edits = Vec::new();
    for case in &cases {
        edits.push(env.create(&case.source).await?);
    }
    acted(&operator, &edits).await?;
    operator.all_in_sync(cases.len()).await?;
    operator.caught_up(&[]).await?;
    env.assert_only(&rolls(1)).await?;
    // Nor does an operator roll more that was not there.
    operator.restart().await?;
    operator.all_in_sync(cases.len()).await?;
    operator.acted(&[]).await?;
    env.assert_only(&rolls(1)).await?;

    let mut edits = Vec::new();
    for case in &cases {
        edits.push(env.set(&case.source, "a", "2").await?);
    }
    acted(&operator, &edits).await?;
    // What has not started has no content yet.
    env.assert_only(&rolls(2)).await?;
    operator.all_in_sync(cases.len()).await
}

#[tokio::test]
async fn a_change_beside_what_is_missing_is_kept_until_it_is_back() -> Result {
    let env = Env::new().await?;
    let (app, other) = (
        config_map("app").data("a", "1"),
        secret("other").data("a", "1"),
    );
    let web = deployment("web")
        .uses(app.volume())
        .uses(other.env("A", "a"));
    env.create_all(&[&policy("fast").fast(), &app, &other, &web])
        .await?;
    env.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;

    let gone = env.delete(&other).await?;
    let edit = env.set(&app, "a", "2").await?;
    operator.acted(&[&gone, &edit]).await?;
    operator.decided(&web, "SourceMissing").await?;
    env.assert_only(&[]).await?;

    let back = env.create(&other).await?;
    operator.acted(&[&back]).await?;
    operator.decided(&web, "InSync").await?;
    env.assert_only(&[(&web, 1)]).await?;
    env.rolled_out(&web).await?;
    env.assert_started_after(&web, &back).await
}

/// A policy that leaves a source out leaves out its content; no Pod starts without it all the same.
#[tokio::test]
async fn an_absent_source_that_the_policy_leaves_out_holds() -> Result {
    let env = Env::new().await?;
    let (app, tls) = (
        config_map("app").data("a", "1"),
        secret("tls").data("a", "1"),
    );
    let web = deployment("web").uses(app.volume()).uses(tls.env("A", "a"));
    // Wants no Pods, so nothing of it can fail to start.
    let off = deployment("off").replicas(0).uses(secret("none").volume());
    let leaves_out = policy("fast")
        .fast()
        .with("sources", serde_json::json!({"exclude": [{"name": "tls"}]}));
    env.create_all(&[&leaves_out, &app, &tls, &web, &off])
        .await?;
    env.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;
    operator.decided(&off, "InSync").await?;

    let gone = env.delete(&tls).await?;
    let edit = env.set(&app, "a", "2").await?;
    operator.acted(&[&gone, &edit]).await?;
    operator.decided(&web, "SourceMissing").await?;
    env.reported(&web, Some(State::Held), |s| s.summary.state)
        .await?;
    env.assert_only(&[]).await?;

    let back = env.create(&tls).await?;
    operator.acted(&[&back]).await?;
    operator.decided(&web, "InSync").await?;
    env.assert_only(&[(&web, 1)]).await?;
    env.rolled_out(&web).await
}
