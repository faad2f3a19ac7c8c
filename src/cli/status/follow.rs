//! `status --watch` and `status --wait`.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anyhow::bail;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use jiff::Timestamp;
use kube::core::{DeserializeGuard, ObjectMeta};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource as _};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{Report, StatusArgs, show, text};
use crate::api::Projection;
use crate::cli::connect::{Connection, is_forbidden};
use crate::cli::exit::Exit;
use crate::cli::fetch::Fetch;
use crate::cli::output::{Format, print, print_error_line, print_notes};
use crate::cluster::client::error::describe_watch;

/// Changes that come within this time are shown together.
const TOGETHER: Duration = Duration::from_millis(300);

/// How often a terminal is drawn again though nothing changed, for the ages.
const REDRAW: Duration = Duration::from_secs(10);

/// Homes the cursor and clears what is below.
const CLEAR: &str = "\u{1b}[H\u{1b}[J";

type Guarded = DeserializeGuard<Projection>;
type Projections = BTreeMap<(String, String), Projection>;

/// The Projections, kept up to date.
struct Followed<'a> {
    connection: &'a Connection,
    events: BoxStream<'a, watcher::Result<Event<Guarded>>>,
    projections: Projections,
    /// Those of a list that is under way.
    listed: Projections,
    complete: bool,
}

impl<'a> Followed<'a> {
    fn new(args: &StatusArgs, connection: &'a Connection) -> Self {
        let client = connection.client.clone();
        let api: Api<Guarded> = match args.all_namespaces {
            true => Api::all(client),
            false => Api::namespaced(client, &connection.namespace),
        };
        Self {
            connection,
            events: watcher(api, watcher::Config::default())
                .default_backoff()
                .boxed(),
            projections: Projections::new(),
            listed: Projections::new(),
            complete: false,
        }
    }

    /// Waits for the first list, then for changes; several in a row count as one.
    async fn changed(&mut self) -> anyhow::Result<()> {
        loop {
            self.step().await?;
            if self.complete {
                break;
            }
        }
        let soon = sleep(TOGETHER);
        tokio::pin!(soon);
        loop {
            tokio::select! {
                () = &mut soon => return Ok(()),
                step = self.step() => step?,
            }
        }
    }

    /// Takes in one event. Dropping the future loses none.
    async fn step(&mut self) -> anyhow::Result<()> {
        let Some(event) = self.events.next().await else {
            bail!("the watch of Projections ended");
        };
        match event {
            Ok(Event::Init) => self.listed.clear(),
            Ok(Event::InitApply(guarded)) => put(&mut self.listed, guarded),
            Ok(Event::InitDone) => {
                self.projections = std::mem::take(&mut self.listed);
                self.complete = true;
            }
            Ok(Event::Apply(guarded)) => put(&mut self.projections, guarded),
            Ok(Event::Delete(guarded)) => {
                self.projections.remove(&key(&guarded));
            }
            Err(error) => self.failed(&error)?,
        }
        Ok(())
    }

    /// What was seen once will be seen again; what never was may not be there.
    fn failed(&self, error: &watcher::Error) -> anyhow::Result<()> {
        let cause = match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => Some(error),
            watcher::Error::WatchError(_) | watcher::Error::NoResourceVersion => None,
        };
        match cause {
            Some(cause) if !self.complete || is_forbidden(cause) => {
                bail!(self.connection.error("projections.projsync.dev", cause))
            }
            _ => {
                print_error_line(&format!("note: {}; trying again", describe_watch(error)));
                Ok(())
            }
        }
    }
}

fn key(guarded: &Guarded) -> (String, String) {
    let meta: &ObjectMeta = guarded.meta();
    (
        meta.namespace.clone().unwrap_or_default(),
        meta.name.clone().unwrap_or_default(),
    )
}

/// One that can't be decoded is as none; the list before has said so.
fn put(projections: &mut Projections, guarded: Guarded) {
    let key = key(&guarded);
    match guarded.0 {
        Ok(projection) => projections.insert(key, projection),
        Err(_) => projections.remove(&key),
    };
}

/// Prints the table whenever something changes, until it is interrupted.
pub(super) async fn watch(args: &StatusArgs, connection: &Connection) -> anyhow::Result<Exit> {
    let mut followed = first(args, connection).await?;
    let table = matches!(args.output, Format::Table | Format::Wide);
    let redraws = table && io::stdout().is_terminal();
    let mut before = None;
    loop {
        let report = report(args, connection, &followed).await?;
        let text = text(args, &report)?;
        if redraws {
            print(&format!("{CLEAR}{text}"))?;
            print_notes(&report.notes);
        } else if before.as_ref() != Some(&report.items) {
            let gap = if before.is_some() && table { "\n" } else { "" };
            print(&format!("{gap}{text}"))?;
        }
        before = Some(report.items);
        match redraws {
            // The ages on the screen grow.
            true => timeout(REDRAW, followed.changed())
                .await
                .unwrap_or(Ok(()))?,
            false => followed.changed().await?,
        }
    }
}

/// Waits until everything has been in sync for long enough.
pub(super) async fn wait(args: &StatusArgs, connection: &Connection) -> anyhow::Result<Exit> {
    let deadline = Instant::now() + args.timeout;
    let mut followed = first(args, connection).await?;
    let mut since = None;
    let mut said = 0;
    loop {
        let report = report(args, connection, &followed).await?;
        let missing = args.missing(&report);
        let now = Instant::now();
        let settled = missing.is_empty() && report.exit() != Exit::OutOfSync;
        since = match settled {
            true => Some(since.unwrap_or(now)),
            false => None,
        };
        let done = since.map(|since: Instant| since + args.stable_for);
        if done.is_some_and(|done| done <= now) {
            show(args, connection, &report)?;
            return Ok(report.exit());
        }
        if deadline <= now {
            show(args, connection, &report)?;
            return Ok(timed_out(args, &report, &missing));
        }
        let waiting_for = report.out_of_sync() + missing.len();
        if waiting_for != said {
            print_error_line(&format!(
                "waiting: {waiting_for} of {} not in sync",
                report.items.len() + missing.len()
            ));
            said = waiting_for;
        }
        tokio::select! {
            changed = followed.changed() => changed?,
            () = sleep_until(done.unwrap_or(deadline).min(deadline)) => {}
        }
    }
}

fn timed_out(args: &StatusArgs, report: &Report, missing: &[String]) -> Exit {
    let timeout = crate::api::Duration::from(args.timeout);
    let what = match (missing, report.out_of_sync()) {
        ([], 0) => format!(
            "not in sync for {} without a break",
            crate::api::Duration::from(args.stable_for)
        ),
        ([], count) => format!("{count} still not in sync"),
        (missing, _) => format!("still not managed: {}", missing.join(", ")),
    };
    print_error_line(&format!("error: timed out after {timeout}: {what}"));
    Exit::OutOfSync
}

async fn first<'a>(args: &StatusArgs, connection: &'a Connection) -> anyhow::Result<Followed<'a>> {
    // A list says best what is wrong with reading them.
    Fetch::new(connection, args.all_namespaces)
        .projections()
        .await?;
    let mut followed = Followed::new(args, connection);
    followed.changed().await?;
    Ok(followed)
}

async fn report(
    args: &StatusArgs,
    connection: &Connection,
    followed: &Followed<'_>,
) -> anyhow::Result<Report> {
    // Labels may have changed, so they are asked for again.
    let fetch = Fetch::new(connection, args.all_namespaces);
    let filter = args.filter(&fetch).await?;
    let projections = followed.projections.values();
    Ok(filter.report(projections, Vec::new(), Timestamp::now()))
}
