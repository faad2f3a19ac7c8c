//! `status --watch` and `status --wait`.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anyhow::bail;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use jiff::Timestamp;
use kube::Api;
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::{self, Store, reflector};
use kube::runtime::watcher::{self, Event, watcher};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::args::StatusArgs;
use super::print::{exit, print_status};
use crate::api::{Duration as InWords, Projection};
use crate::cli::connect::{Connection, is_forbidden};
use crate::cli::exit::Exit;
use crate::cli::fetch::Fetch;
use crate::cli::output::{Format, print, print_error_line, print_notes, text, warn};
use crate::cluster::client::error::describe_watch;
use crate::report::leader::{Leader, Versions};
use crate::report::status::Status;

/// Changes that come within this time are shown together.
const TOGETHER: Duration = Duration::from_millis(300);

/// Time between two reads of the Lease and the sources, which no watch tells of.
const LOOKS: Duration = Duration::from_secs(2);

/// Time after which a terminal is redrawn without changes, to update ages.
const REDRAW: Duration = Duration::from_secs(10);

/// Escape sequence that moves the cursor home and clears the screen.
const CLEAR: &str = "\u{1b}[H\u{1b}[J";

/// Takes a Projection that can't be decoded as missing, since the list before has noted it.
type Guarded = DeserializeGuard<Projection>;

/// The Projections, kept up to date.
struct Followed<'a> {
    args: &'a StatusArgs,
    connection: &'a Connection,
    events: BoxStream<'a, watcher::Result<Event<Guarded>>>,
    projections: Store<Guarded>,
    /// Whether a first list is complete.
    complete: bool,
    /// With --wait, the versions of sources at its beginning.
    first: Option<Versions>,
}

impl<'a> Followed<'a> {
    async fn new(args: &'a StatusArgs, connection: &'a Connection) -> anyhow::Result<Self> {
        // A list gives the best error if they can't be read.
        let mut fetch = Fetch::new(connection, args.all_namespaces);
        fetch.projections().await?;
        let client = connection.client.clone();
        let api: Api<Guarded> = match args.all_namespaces {
            true => Api::all(client),
            false => Api::namespaced(client, &connection.namespace),
        };
        let (projections, writer) = reflector::store();
        let events = reflector(writer, watcher(api, watcher::Config::default()));
        let mut followed = Self {
            args,
            connection,
            events: events.default_backoff().boxed(),
            projections,
            complete: false,
            first: match args.wait {
                true => Some(fetch.versions().await?),
                false => None,
            },
        };
        followed.changed().await?;
        Ok(followed)
    }

    /// The report to show now. Labels are read again, since they may have changed.
    async fn report(&self) -> anyhow::Result<Status> {
        let mut fetch = Fetch::new(self.connection, self.args.all_namespaces);
        let guarded = self.projections.state();
        let projections = guarded.iter().filter_map(|guarded| guarded.0.as_ref().ok());
        let first = self.first.as_ref();
        self.args.report(&mut fetch, projections, first).await
    }

    /// Waits for the first list, then for changes. Several in a row count as one.
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

    /// Takes in one event. Dropping the future loses no event.
    async fn step(&mut self) -> anyhow::Result<()> {
        match self.events.next().await {
            Some(Ok(event)) => self.complete |= matches!(event, Event::InitDone),
            Some(Err(error)) => self.failed(&error)?,
            None => bail!("the watch of Projections ended"),
        }
        Ok(())
    }

    /// Ends with the error before the first list and without the right. Later errors are only noted,
    /// since the watch tries again.
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

/// Prints the table whenever something changes, until it is interrupted.
pub(super) async fn watch(args: &StatusArgs, connection: &Connection) -> anyhow::Result<Exit> {
    let mut followed = Followed::new(args, connection).await?;
    let table = matches!(args.output, Format::Table | Format::Wide);
    let redraws = table && io::stdout().is_terminal();
    let mut before = None;
    loop {
        let report = followed.report().await?;
        let text = text(&report, args.output, Timestamp::now())?;
        if redraws {
            print(&format!("{CLEAR}{text}"))?;
            warn(&report.leader, connection);
            print_notes(&report.notes);
        } else if before.as_ref() != Some(&report.items) {
            warn(&report.leader, connection);
            let gap = if before.is_some() && table { "\n" } else { "" };
            print(&format!("{gap}{text}"))?;
        }
        before = Some(report.items);
        match redraws {
            // Update the ages on the screen.
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
    let mut followed = Followed::new(args, connection).await?;
    let mut since = None;
    let mut said = 0;
    loop {
        let report = followed.report().await?;
        let missing = args.missing(&report);
        let now = Instant::now();
        let settled = missing.is_empty() && matches!(exit(&report), Exit::Success | Exit::Unknown);
        since = match settled {
            true => Some(since.unwrap_or(now)),
            false => None,
        };
        let done = since.map(|since: Instant| since + args.stable_for);
        if done.is_some_and(|done| done <= now) {
            print_status(args, connection, &report)?;
            return Ok(exit(&report));
        }
        if deadline <= now {
            print_status(args, connection, &report)?;
            timed_out(args, &report, &missing);
            return Ok(match exit(&report) {
                Exit::Success | Exit::Unknown => Exit::OutOfSync,
                exit => exit,
            });
        }
        let waiting_for = report.out_of_sync() + report.unseen() + missing.len();
        if waiting_for != said {
            print_error_line(&format!(
                "waiting: {waiting_for} of {} not in sync",
                report.items.len() + missing.len()
            ));
            said = waiting_for;
        }
        tokio::select! {
            changed = followed.changed() => changed?,
            // The Lease and the sources change without a word of Projections.
            () = sleep_until(done.unwrap_or(now + LOOKS).min(deadline)) => {}
        }
    }
}

fn timed_out(args: &StatusArgs, report: &Status, missing: &[String]) {
    let timeout = InWords::from(args.timeout);
    let what = match (missing, report.out_of_sync()) {
        _ if report.leader == Leader::Nobody => "no operator leads".to_owned(),
        ([], 0) if report.items.is_empty() => "still no managed workload".to_owned(),
        ([], 0) if report.unseen() > 0 => format!(
            "of {} it can't be told that the operator has seen its sources as they are now",
            report.unseen()
        ),
        ([], 0) => format!(
            "not in sync for {} without a break",
            InWords::from(args.stable_for)
        ),
        ([], count) => format!("{count} still not in sync"),
        (missing, _) => format!("still not managed: {}", missing.join(", ")),
    };
    print_error_line(&format!("error: timed out after {timeout}: {what}"));
}
