//! Answers with Secrets, spoilt on their way: of none a byte is told.

use std::sync::Arc;

use anyhow::ensure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::request::Parts;
use k8s_openapi::api::core::v1::Secret;
use parking_lot::Mutex;
use serde_json::{Value, json};
use testkit::{
    Operator, Result, Source, Space, Workload, config_map, daemon_set, deployment, policy,
    projected, secret, stateful_set, until,
};

use super::needles::{Needles, value};
use crate::env::Env;
use crate::proxy::{Act, Falsify, Proxy};

/// The value of `data.password` in the body of a Secret.
fn password(body: &[u8]) -> String {
    let secret: Value = serde_json::from_slice(body).unwrap_or_default();
    let encoded = secret["data"]["password"].as_str().unwrap_or_default();
    let decoded = STANDARD.decode(encoded).unwrap_or_default();
    String::from_utf8(decoded).unwrap_or_default()
}

/// The body with something set.
fn with(body: &[u8], path: &str, value: Value) -> Vec<u8> {
    let mut secret: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(place) = secret.pointer_mut(path) {
        *place = value;
    }
    secret.to_string().into_bytes()
}

fn status(body: &[u8], code: u16, reason: &str) -> Vec<u8> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "metadata": {},
        "message": password(body), "reason": reason, "code": code,
        "details": {"name": password(body), "kind": "secrets"},
    });
    status.to_string().into_bytes()
}

/// How an answer with a Secret is spoilt.
type Spoil = fn(u16, Vec<u8>) -> (u16, Vec<u8>);

const SPOILT: &[(&str, Spoil)] = &[
    ("an error with the object", |_, body| (500, body)),
    ("an error with the value", |_, body| {
        (502, password(&body).into_bytes())
    }),
    ("forbidden, with the value", |_, body| {
        (403, status(&body, 403, "Forbidden"))
    }),
    ("absent, with the value", |_, body| {
        (404, status(&body, 404, "NotFound"))
    }),
    ("a status of no known reason", |_, body| {
        (409, status(&body, 409, &password(&body)))
    }),
    ("redirected", |_, body| (302, body)),
    ("cut short", |_, body| {
        (200, body[..body.len() * 2 / 3].to_vec())
    }),
    ("no JSON", |_, body| (200, password(&body).into_bytes())),
    ("more than one object", |_, body| {
        (200, [body.clone(), body].concat())
    }),
    ("not UTF-8", |_, body| {
        let spoilt = password(&body).into_bytes();
        (
            200,
            [
                b"{\"data\": {\"password\": \"\xff\xfe",
                &spoilt[..],
                b"\"}}",
            ]
            .concat(),
        )
    }),
    ("a string for data", |_, body| {
        (200, with(&body, "/data", json!(password(&body))))
    }),
    ("a list for a value", |_, body| {
        (200, with(&body, "/data/password", json!([password(&body)])))
    }),
    ("no base64", |_, body| {
        let value = json!(format!("!{}", password(&body)));
        (200, with(&body, "/data/password", value))
    }),
    ("another name", |_, body| {
        (200, with(&body, "/metadata/name", json!(password(&body))))
    }),
    ("another kind", |_, body| {
        (200, with(&body, "/kind", json!(password(&body))))
    }),
    ("metadata of another type", |_, body| {
        (200, with(&body, "/metadata", json!(password(&body))))
    }),
    ("a version that is none", |_, body| {
        (
            200,
            with(&body, "/metadata/resourceVersion", json!(password(&body))),
        )
    }),
    ("a version before", |_, body| {
        (200, with(&body, "/metadata/resourceVersion", json!("1")))
    }),
];

/// What can be read all the same.
const ODD: &[(&str, Spoil)] = &[("a time that is none", |_, body| {
    (
        200,
        with(
            &body,
            "/metadata/managedFields",
            json!([{"time": password(&body)}]),
        ),
    )
})];

fn is_read_of(request: &Parts, name: &str) -> bool {
    request.method == Method::GET && request.uri.path().ends_with(&format!("/secrets/{name}"))
}

fn is_watch_of_secrets(request: &Parts) -> bool {
    request.uri.path().ends_with("/secrets")
        && request
            .uri
            .query()
            .unwrap_or_default()
            .contains("watch=true")
}

/// Secrets that are spoilt at a time, each projected by a workload of its own.
const LANES: usize = 5;

/// A Secret, and a workload that projects it in some way.
fn lane(number: usize, app: &Source, value: &str, binary: &[u8]) -> (Source, Workload) {
    let db = secret(&format!("db-{number}"))
        .data("password", value)
        .binary("key", binary);
    let name = format!("web-{number}");
    let workload = match number % 3 {
        0 => stateful_set(&name)
            .uses(db.env_from("DB_"))
            .uses(db.volume().sub_path("password")),
        1 => deployment(&name)
            .uses(db.env("PASSWORD", "password"))
            .uses(projected(&[app, &db])),
        _ => daemon_set(&name).uses(db.volume()),
    };
    (db, workload)
}

/// Spoils the watch of Secrets with each of these bodies, and passes whole
/// objects on where metadata was asked for. Gives what is left of the bodies.
fn spoil_watches(proxy: &Proxy, bodies: Vec<Vec<u8>>) -> Arc<Mutex<Vec<Vec<u8>>>> {
    let bodies = Arc::new(Mutex::new(bodies));
    let left = bodies.clone();
    proxy.rule(move |request| {
        let watch = is_watch_of_secrets(request);
        match bodies.lock().pop_if(|_| watch) {
            Some(body) => Act::Answer(200, [body, b"\n".to_vec()].concat()),
            None => whole_secrets(request),
        }
    });
    left
}

fn whole_secrets(request: &Parts) -> Act {
    match request.uri.path().ends_with("/secrets") {
        true => Act::Whole,
        false => Act::Pass,
    }
}

#[tokio::test]
async fn no_byte_of_a_secret_is_told_whatever_the_api_server_answers() -> Result {
    let env = Env::new().await?;
    let mut needles = Needles::default();
    let first = value(0);
    let binary: Vec<u8> = (0..64).map(|number| (number * 37 + 129) as u8).collect();
    needles.add(first.as_bytes());
    needles.add(&binary);
    let app = config_map("app").data("a", "1");
    let lanes: Vec<_> = (0..LANES)
        .map(|number| lane(number, &app, &first, &binary))
        .collect();
    env.create_all(&[&policy("fast").fast(), &app]).await?;
    for (db, workload) in &lanes {
        env.create_all(&[db, workload]).await?;
    }
    for (_, workload) in &lanes {
        env.rolled_out(workload).await?;
    }

    // The watches of Secrets first.
    let proxy = Proxy::start(&env.cluster).await?;
    let status = json!({"kind": "Status", "message": &first, "reason": &first, "code": 500});
    let left = spoil_watches(
        &proxy,
        vec![
            json!({"type": "ADDED", "object": {"metadata": &first}})
                .to_string()
                .into_bytes(),
            json!({"type": "ERROR", "object": status})
                .to_string()
                .into_bytes(),
        ],
    );
    let mut operator = env.behind(&proxy, &["--log-level=trace"]).await?;
    operator.start().await?;
    operator.all_in_sync(LANES).await?;
    until("the spoilt watches were had", 0, async || {
        Ok(left.lock().len())
    })
    .await?;

    let fails = SPOILT.iter().map(|(what, spoil)| (*what, *spoil, true));
    let odd = ODD.iter().map(|(what, spoil)| (*what, *spoil, false));
    let cases: Vec<_> = fails.chain(odd).collect();
    for (round, cases) in cases.chunks(LANES).enumerate() {
        let value = value(round + 1);
        needles.add(value.as_bytes());
        spoiled_round(&env, &proxy, &operator, cases, &lanes, &value).await?;
    }
    env.assert_nothing_else()?;
    // The key of the digests is a Secret too.
    for secret in env.home.list::<Secret>().await? {
        for (_, value) in secret.data.into_iter().flatten() {
            needles.add(&value.0);
        }
    }
    until("Events of the failed reads", true, async || {
        let events = env.events(&lanes[0].1).await?;
        Ok(events.iter().any(|(reason, _)| reason == "ReadFailed"))
    })
    .await?;

    for path in ["/debug/index", "/debug/queues"] {
        needles.assert_not_in(path, &operator.debug_text(path).await?)?;
    }
    needles.assert_not_in("/metrics", &operator.metrics().await?)?;
    needles.assert_not_in("/readyz", &operator.probe("/readyz").await?.1)?;
    operator.stop().await?;
    let log = operator.log()?;
    ensure!(
        log.contains("DEBUG") && log.contains("can't be read"),
        "{log}"
    );
    needles.assert_not_in("the log", &log)?;
    for space in [&*env, &env.home] {
        assert_no_object_tells(space, &needles).await?;
    }
    Ok(())
}

/// Each Secret is edited while its reads are spoilt in some way. (What the
/// third part of a case says: whether it then can't be read.)
async fn spoiled_round(
    env: &Env,
    proxy: &Proxy,
    operator: &Operator,
    cases: &[(&'static str, Spoil, bool)],
    lanes: &[(Source, Workload)],
    value: &str,
) -> Result {
    let rolled = env.roll_counts()?;
    let spoils: Vec<Falsify> = cases
        .iter()
        .map(|(_, spoil, _)| Arc::new(*spoil) as Falsify)
        .collect();
    proxy.rule(move |request| {
        let spoilt = (0..spoils.len()).find(|lane| is_read_of(request, &format!("db-{lane}")));
        spoilt.map_or_else(
            || whole_secrets(request),
            |lane| Act::Falsify(spoils[lane].clone()),
        )
    });
    let mut edits = Vec::new();
    for ((db, _), _) in lanes.iter().zip(cases) {
        edits.push(env.set(db, "password", value).await?);
    }
    for ((what, _, fails), (db, workload)) in cases.iter().zip(lanes) {
        let (source, key) = (env.key(db), env.key(workload));
        if *fails {
            until(format!("{what}: a read fails"), true, async || {
                let queues = operator.queues().await?;
                let failed = |item: &Value| item["key"] == source && item["failures"] != 0;
                Ok(queues["sources"].items.iter().any(failed))
            })
            .await?;
            // Not taken for a change, nor for absence.
            ensure!(
                env.roll_counts()?.get(&key) == rolled.get(&key),
                "rolled for {what}"
            );
        } else {
            until(format!("{key} rolls after {what}"), true, async || {
                Ok(env.roll_counts()?.get(&key) > rolled.get(&key))
            })
            .await?;
        }
    }
    proxy.rule(whole_secrets);
    for (((what, _, _), (_, workload)), edit) in cases.iter().zip(lanes).zip(&edits) {
        let key = env.key(workload);
        operator.caught_up(&[edit]).await?;
        let rolls = env.roll_counts()?[&key] - rolled.get(&key).unwrap_or(&0);
        ensure!(rolls == 1, "{rolls} rolls of {key} after {what}");
        env.rolled_out(workload).await?;
        env.assert_started_after(workload, edit).await?;
    }
    operator.all_in_sync(LANES).await
}

/// Everything but the Secrets themselves.
async fn assert_no_object_tells(space: &Space, needles: &Needles) -> Result {
    let kinds = "events.events.k8s.io,events,projections,syncpolicies,configmaps,deployments,\
                 statefulsets,replicasets,controllerrevisions,pods,leases,serviceaccounts";
    let arguments = ["get", kinds, "--output=json", "--show-managed-fields"];
    let text = space.kubectl(&arguments).await?;
    ensure!(text.contains("\"kind\": \"Lease\"") || text.contains("\"kind\": \"Projection\""));
    needles.assert_not_in(&format!("the objects of {}", space.namespace), &text)
}
