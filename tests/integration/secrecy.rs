//! No byte of any Secret is told, and none is read that nobody asked for.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::request::Parts;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::{
    Act, Env, Falsify, Object, Operator, Proxy, Request, Result, Space, config_map, deployment,
    eventually, object, policy, projected, secret, stateful_set, until,
};

/// How many letters of a value in a row are too many.
const WINDOW: usize = 8;

/// What must not be found anywhere: every part of every form of some values.
#[derive(Default)]
struct Needles(Vec<(String, String)>);

impl Needles {
    fn add(&mut self, value: &[u8]) {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let mut forms = vec![
            STANDARD.encode(value),
            hex(value),
            // A digest without a key could be guessed from.
            hex(&Sha256::digest(value)),
        ];
        if let Ok(text) = str::from_utf8(value) {
            forms.push(text.to_owned());
        }
        for form in forms {
            for start in 0..form.len().saturating_sub(WINDOW) {
                self.0
                    .push((form[start..start + WINDOW].to_owned(), form.clone()));
            }
        }
        // As Debug shows bytes.
        for bytes in value.windows(5) {
            let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
            self.0.push((list.join(", "), format!("{value:?}")));
        }
    }

    fn found_in(&self, text: &str) -> Option<&(String, String)> {
        self.0.iter().find(|(needle, _)| text.contains(needle))
    }

    fn assert_not_in(&self, what: &str, text: &str) -> Result {
        ensure!(!text.is_empty(), "{what} is empty");
        let line = |needle: &str| {
            text.lines()
                .find(|line| line.contains(needle))
                .map(str::to_owned)
        };
        match self.found_in(text) {
            None => Ok(()),
            Some((needle, form)) => {
                anyhow::bail!("{needle:?} of {form:?} is in {what}: {:?}", line(needle))
            }
        }
    }
}

#[test]
fn needles_are_found() {
    let mut needles = Needles::default();
    needles.add(b"correct-horse-battery");
    for text in [
        "say correct-horse-battery",
        "...ct-horse-b...",
        &STANDARD.encode("correct-horse-battery"),
        &format!("{:?}", b"correct-horse"),
        &format!("{:?}", b"correct-horse".to_vec()),
    ] {
        assert!(needles.found_in(text).is_some(), "{text}");
    }
    assert!(needles.found_in("a correct horse has a battery").is_none());
}

/// A value that occurs nowhere by chance.
fn value(number: usize) -> String {
    let hash = Sha256::digest(format!("value {number}"));
    let text: String = hash
        .iter()
        .map(|byte| char::from(b'g' + byte % 20))
        .collect();
    format!("{text}-{number}")
}

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
];

/// What can be read all the same.
const ODD: &[(&str, Spoil)] = &[
    ("a version that is none", |_, body| {
        (
            200,
            with(&body, "/metadata/resourceVersion", json!(password(&body))),
        )
    }),
    ("a time that is none", |_, body| {
        (
            200,
            with(
                &body,
                "/metadata/managedFields",
                json!([{"time": password(&body)}]),
            ),
        )
    }),
];

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

/// How many reads of Secrets failed.
async fn failures(operator: &Operator) -> Result<f64> {
    let sample = "projsync_source_reads_total{kind=\"Secret\",outcome=\"failure\"}";
    Ok(operator.sample(sample).await?.unwrap_or(0.0))
}

#[tokio::test]
async fn no_byte_of_a_secret_is_told_whatever_the_api_server_answers() -> Result {
    let env = Env::new().await?;
    let mut needles = Needles::default();
    let first = value(0);
    let binary: Vec<u8> = (0..64).map(|number| (number * 37 + 129) as u8).collect();
    needles.add(first.as_bytes());
    needles.add(&binary);
    let db = secret("db").data("password", &first).binary("key", &binary);
    let app = config_map("app").data("a", "1");
    let web = deployment("web")
        .uses(db.env("PASSWORD", "password"))
        .uses(db.volume())
        .uses(projected(&[&app, &db]));
    let store = stateful_set("store")
        .uses(db.env_from("DB_"))
        .uses(db.volume().sub_path("key"));
    env.create_all(&[&policy("fast").fast(), &db, &app, &web, &store])
        .await?;
    env.rolled_out(&web).await?;
    env.rolled_out(&store).await?;

    // The lists and watches of Secrets first: whole ones, and spoilt.
    let proxy = Proxy::start(&env.cluster).await?;
    let listed: Vec<Vec<u8>> = vec![
        json!({"type": "ADDED", "object": {"metadata": &first}}).to_string().into_bytes(),
        json!({"type": "ERROR", "object": {"kind": "Status", "message": &first, "reason": &first, "code": 500}})
            .to_string()
            .into_bytes(),
    ];
    let spoilt = Arc::new(parking_lot::Mutex::new(listed));
    let left = spoilt.clone();
    proxy.rule(move |request| match is_watch_of_secrets(request) {
        true => match spoilt.lock().pop() {
            Some(body) => Act::Answer(200, [body, b"\n".to_vec()].concat()),
            None => Act::Whole,
        },
        false if request.uri.path().ends_with("/secrets") => Act::Whole,
        false => Act::Pass,
    });
    let mut operator = env
        .behind(&proxy, &["--log-level=trace", "--concurrency=1"])
        .await?;
    operator.start().await?;
    operator.all_in_sync(2).await?;
    until("the spoilt watches were had", 0, async || {
        Ok(left.lock().len())
    })
    .await?;

    let fails = SPOILT.iter().map(|spoilt| (spoilt, true));
    let all = fails.chain(ODD.iter().map(|odd| (odd, false)));
    for (number, ((what, spoil), fails)) in all.enumerate() {
        let (spoil, before) = (*spoil, failures(&operator).await?);
        let rolled = env.roll_counts()?;
        let falsify: Falsify = Arc::new(spoil);
        proxy.rule(move |request| match is_read_of(request, "db") {
            true => Act::Falsify(falsify.clone()),
            false if request.uri.path().ends_with("/secrets") => Act::Whole,
            false => Act::Pass,
        });
        let value = value(number + 1);
        needles.add(value.as_bytes());
        let edit = env.set(&db, "password", &value).await?;
        if fails {
            until(format!("{what}: a read fails"), true, async || {
                Ok(failures(&operator).await? > before)
            })
            .await?;
            // Not taken for a change, nor for absence.
            ensure!(env.roll_counts()? == rolled, "rolled for {what}");
        } else {
            operator.caught_up(&[&edit]).await?;
        }
        proxy.rule(|request| match request.uri.path().ends_with("/secrets") {
            true => Act::Whole,
            false => Act::Pass,
        });
        operator.caught_up(&[&edit]).await?;
        for workload in [&web, &store] {
            let key = env.key(workload);
            let rolls = env.roll_counts()?[&key] - rolled.get(&key).unwrap_or(&0);
            // With a version that is none, times decide: a second is the least they tell.
            ensure!(
                rolls == 1 || !fails && rolls == 2,
                "{rolls} rolls of {key} after {what}"
            );
            env.rolled_out(workload).await?;
            env.assert_started_after(workload, &edit).await?;
        }
        operator.all_in_sync(2).await?;
    }
    env.assert_nothing_else()?;
    // The key of the digests is a Secret too.
    for secret in env.home.list::<Secret>().await? {
        for (_, value) in secret.data.into_iter().flatten() {
            needles.add(&value.0);
        }
    }
    until("Events of the failed reads", true, async || {
        let events = env.events(&web).await?;
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

/// Everything but the Secrets themselves.
async fn assert_no_object_tells(space: &Space, needles: &Needles) -> Result {
    let kinds = "events.events.k8s.io,events,projections,syncpolicies,configmaps,deployments,\
                 statefulsets,replicasets,controllerrevisions,pods,leases,serviceaccounts";
    let arguments = ["get", kinds, "--output=json", "--show-managed-fields"];
    let text = space.kubectl(&arguments).await?;
    ensure!(text.contains("\"kind\": \"Lease\"") || text.contains("\"kind\": \"Projection\""));
    needles.assert_not_in(&format!("the objects of {}", space.namespace), &text)
}

#[tokio::test]
async fn only_secrets_that_a_managed_workload_projects_are_read() -> Result {
    let env = Env::cluster_wide(2).await?;
    let (here, there) = (&env.spaces[0], &env.spaces[1]);
    let filled = |name: &str| secret(name).data("a", "1");
    let used = filled("used");
    let unused = [
        "unmanaged",
        "opted-out",
        "bare",
        "nobody",
        "unmounted",
        "pull",
    ]
    .map(filled);
    let [unmanaged, opted_out, bare, _, unmounted, pull] = &unused;
    let managed = deployment("managed")
        .label("managed", "yes")
        .uses(used.volume())
        .uses(unmounted.volume().unmounted());
    let mut workloads = vec![
        managed.clone(),
        deployment("free").uses(unmanaged.volume()),
        deployment("out")
            .label("managed", "yes")
            .sync("false")
            .uses(opted_out.env("A", "a")),
    ];
    let more = ["second", "third"].map(|name| {
        deployment(name)
            .label("managed", "yes")
            .uses(used.env("A", "a"))
            .uses(used.volume())
    });
    workloads.extend(more);
    let bare = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"},
        "spec": {
            "imagePullSecrets": [{"name": pull.name()}],
            "containers": [{"name": "main", "image": "app:1",
                "envFrom": [{"secretRef": {"name": bare.name()}}]}],
        },
    });
    for space in [here, there] {
        for source in unused.iter().chain([&used]) {
            space.create(source).await?;
        }
    }
    here.create_all(&[&policy("fast").fast().label("managed", "yes"), &bare])
        .await?;
    for workload in &workloads {
        here.create(workload).await?;
    }
    for workload in &workloads {
        here.rolled_out(workload).await?;
    }
    // The other namespace has no policy.
    there.create(&managed).await?;
    there.rolled_out(&managed).await?;

    let proxy = Proxy::start(&env.cluster).await?;
    let mut operator = env.behind(&proxy, &[]).await?;
    operator.start().await?;
    operator.all_in_sync(3).await?;
    let index = operator.index().await?;
    let known: Vec<&String> = index.sources.keys().collect();
    ensure!(known == [&here.key(&used)], "{known:?}");

    for space in [here, there] {
        for source in &unused {
            space.set(source, "a", "2").await?;
        }
    }
    // What is not in the index can't be waited for: this comes after it.
    let before = env.requests()?.len();
    let edit = here.set(&used, "a", "2").await?;
    let rolled = [&managed, &workloads[3], &workloads[4]];
    for workload in rolled {
        env.rolls(workload, 1).await?;
        here.rolled_out(workload).await?;
    }
    operator.caught_up(&[&edit]).await?;
    operator.all_in_sync(3).await?;
    eventually("all is written", async || {
        let queues = operator.queues().await?;
        let left: Vec<_> = queues
            .values()
            .filter(|queue| !queue.idle || queue.delayed > 0)
            .collect();
        ensure!(left.is_empty(), "{left:?}");
        Ok(Some(()))
    })
    .await?;
    env.assert_only(&rolled.map(|workload| (workload, 1)))
        .await?;

    // Never read: neither at the start nor for a change.
    let requests = env.requests()?;
    for request in requests
        .iter()
        .filter(|request| request.resource == "secrets")
    {
        let fine = match request.verb.as_str() {
            "get" => {
                (&*request.namespace, &*request.name) == (&*here.namespace, "used")
                    || (&*request.namespace, &*request.name)
                        == (&*env.home.namespace, "projsync-digest-key")
            }
            "create" => request.namespace == env.home.namespace,
            verb => ["list", "watch"].contains(&verb) && request.name.is_empty(),
        };
        ensure!(fine, "{request:?}");
    }
    // Listed and watched by their metadata alone.
    let mut lists = 0;
    for passed in proxy.passed() {
        let path = passed.path.split('?').next().unwrap_or_default();
        if ["/secrets", "/configmaps"]
            .iter()
            .any(|kind| path.ends_with(kind))
        {
            lists += 1;
            ensure!(
                passed.accept.contains("as=PartialObjectMetadata"),
                "{passed:?}"
            );
        }
    }
    ensure!(lists >= 4, "{lists} lists and watches");

    // What the one change cost.
    let cost = |resource: &str, verb: &str| {
        let asked = |request: &&Request| request.resource == resource && request.verb == verb;
        requests[before..].iter().filter(asked).count()
    };
    ensure!(cost("secrets", "get") == 1 && cost("configmaps", "get") == 0);
    ensure!(cost("deployments", "patch") == 3, "a patch a workload");
    ensure!(cost("events", "create") == 3 && cost("events", "patch") == 0);
    ensure!(cost("deployments", "get") == 0 && cost("pods", "get") == 0);
    let lists = requests[before..]
        .iter()
        .filter(|request| request.verb == "list")
        .count();
    ensure!(lists == 0, "{lists} lists");
    // The roll, that it is over, and up to when all is known of its Pods.
    let written = cost("projections", "patch");
    ensure!(
        (3..=9).contains(&written),
        "{written} writes of Projections"
    );
    ensure!(cost("projections", "get") == 0);
    Ok(())
}

#[tokio::test]
async fn a_debug_line_of_a_refused_key_holds_nothing_of_it() -> Result {
    let env = Env::new().await?;
    let mut needles = Needles::default();
    let bad = value(99);
    needles.add(bad.as_bytes());
    let key = secret("projsync-digest-key").data("key", &bad);
    env.home.create(&key).await?;
    let mut operator = env.replica(&["--log-level=trace"]).await?;
    operator.spawn()?;
    let status = operator.ends().await?;
    ensure!(!status.success(), "it goes on with a key that is none");
    let log = operator.log()?;
    ensure!(log.contains("projsync-digest-key"), "{log}");
    needles.assert_not_in("the log", &log)?;
    // Only read, never overwritten.
    ensure!(
        env.home
            .exists(&object("v1", "Secret", "projsync-digest-key"))
            .await?
    );
    ensure!(env.writes()?.is_empty());
    Ok(())
}
