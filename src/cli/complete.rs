//! Completion of a command line that is being typed: flags, kinds, and names in the cluster.
//!
//! Names come as a table, which has nothing but what `kubectl get` prints: no content of a Secret
//! is read. What can't be had in time is not offered.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgMatches, Command, FromArgMatches as _};
use clap_complete::CompleteEnv;
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, ValueCompleter, complete,
};
use serde::Deserialize;

use super::connect::ConnectArgs;
use super::names::{NAMES, Named};
use super::output::print;
use crate::kinds::{ApiType, NAMESPACE, Scope};
use crate::report::name::{Root, WorkloadName};

/// File name by which kubectl finds what completes the plugin.
pub const COMPLETER_FILE: &str = "kubectl_complete-projsync";

/// Maximum time to wait for the names.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum number of names.
const LIMIT: u32 = 500;

/// Directives of cobra, of which kubectl is made: add no space, and offer no files.
const NO_SPACE: u8 = 2;
const NO_FILES: u8 = 4;

/// What has been typed so far.
#[derive(Clone)]
struct Typed(Arc<ArgMatches>);

/// Answer of a list as a table.
#[derive(Deserialize)]
struct Table {
    #[serde(default)]
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    /// The name is the first.
    cells: Vec<serde_json::Value>,
}

/// Answers the script of `projsync completions`, if it asks.
///
/// # Errors
/// If the answer can't be printed.
pub fn answer_shell(arguments: &[OsString], command: &Command) -> clap::error::Result<bool> {
    let words = arguments.iter().skip_while(|word| *word != "--").skip(1);
    let words: Vec<_> = words.cloned().collect();
    let completing = CompleteEnv::with_factory(|| with_names(command.clone(), &words));
    completing.try_complete(arguments, std::env::current_dir().ok().as_deref())
}

/// Answers kubectl, which calls [`COMPLETER_FILE`] with what was typed after the plugin's name.
///
/// # Errors
/// If the answer can't be printed.
pub fn answer_kubectl(arguments: Vec<OsString>, command: Command) -> anyhow::Result<()> {
    let last = arguments.len().saturating_sub(1);
    let is_flag = |word: &OsStr| word.as_encoded_bytes().starts_with(b"-");
    let wants_flag = arguments.last().is_some_and(|word| is_flag(word));
    let mut command = with_names(command, &arguments);
    // Nothing can be completed where the line makes no sense.
    let candidates = complete(&mut command, arguments, last, None).unwrap_or_default();
    // As cobra, offer flags only where one was begun.
    let candidates: Vec<_> = candidates
        .into_iter()
        .filter(|it| wants_flag || !is_flag(it.get_value()))
        .collect();
    let mut text = String::new();
    for candidate in &candidates {
        let _ = write!(text, "{}", candidate.get_value().to_string_lossy());
        if let Some(help) = candidate.get_help() {
            let help = help.to_string();
            let _ = write!(text, "\t{}", help.lines().next().unwrap_or_default());
        }
        text.push('\n');
    }
    let unfinished = |candidate: &CompletionCandidate| {
        let value = candidate.get_value().to_string_lossy();
        value.ends_with('/')
    };
    let space = if candidates.iter().any(unfinished) {
        NO_SPACE
    } else {
        0
    };
    let _ = writeln!(text, ":{}", space | NO_FILES);
    print(&text)
}

/// The command, with what completes names in the line of these words.
fn with_names(command: Command, words: &[OsString]) -> Command {
    // Where a word is refused no defaults are set, and the last may not be finished.
    let finished = words.split_last().map_or(words, |(_, before)| before);
    let words = finished.iter().cloned().chain(["any".into()]);
    let matches = command
        .clone()
        .ignore_errors(true)
        .try_get_matches_from(words);
    let subcommand = matches.ok().and_then(|mut it| it.remove_subcommand());
    let Some((name, matches)) = subcommand else {
        return command;
    };
    let typed = Typed(Arc::new(matches));
    let workloads = ArgValueCompleter::new(Names {
        typed: typed.clone(),
        apis: WorkloadName::apis(),
    });
    let roots = ArgValueCompleter::new(Names {
        typed: typed.clone(),
        apis: Root::apis(),
    });
    let namespaces =
        ArgValueCandidates::new(move || candidates(typed.names(&NAMESPACE).into_iter()));
    match &*name {
        "status" | "explain" => command.mut_subcommand(name, |it| {
            it.mut_arg(NAMES, |it| it.add(workloads))
                .mut_arg("namespace", |it| it.add(namespaces))
        }),
        "tree" => command.mut_subcommand(name, |it| {
            it.mut_arg(NAMES, |it| it.add(roots))
                .mut_arg("namespace", |it| it.add(namespaces))
        }),
        _ => command,
    }
}

/// Completes `KIND/NAME` and `KIND NAME`.
struct Names {
    typed: Typed,
    apis: Vec<&'static ApiType>,
}

impl ValueCompleter for Names {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let Some(current) = current.to_str() else {
            return Vec::new();
        };
        let called = |kind: &str| {
            self.apis
                .iter()
                .find(|api| api.is_called(&kind.to_ascii_lowercase()))
        };
        let found = if let Some((kind, _)) = current.split_once('/') {
            let names = called(kind).map(|api| self.typed.names(api));
            let names = names.into_iter().flatten();
            candidates(names.map(|name| format!("{kind}/{name}")))
        } else if let Some(kind) = self.typed.kind() {
            let names = called(&kind).map(|api| self.typed.names(api));
            candidates(names.into_iter().flatten())
        } else {
            candidates(self.apis.iter().map(|api| format!("{}/", api.singular())))
        };
        let begun = |it: &CompletionCandidate| {
            it.get_value()
                .to_str()
                .is_some_and(|it| it.starts_with(current))
        };
        found.into_iter().filter(begun).collect()
    }
}

fn candidates(values: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    values.map(CompletionCandidate::new).collect()
}

impl Typed {
    /// The first of several names that were typed, if it is a kind alone.
    fn kind(&self) -> Option<String> {
        let mut words = self.0.try_get_many::<String>(NAMES).ok().flatten()?;
        let first = words.next().filter(|word| !word.contains('/'))?;
        words.next().map(|_| first.clone())
    }

    /// Names of the objects of a kind in the cluster and namespace that were typed.
    fn names(&self, api: &'static ApiType) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else {
            return Vec::new();
        };
        let table =
            runtime.block_on(async { tokio::time::timeout(TIMEOUT, self.table(api)).await });
        let Ok(Some(table)) = table else {
            return Vec::new();
        };
        let name = |row: Row| Some(row.cells.first()?.as_str()?.to_owned());
        table.rows.into_iter().filter_map(name).collect()
    }

    async fn table(&self, api: &'static ApiType) -> Option<Table> {
        let connect = ConnectArgs::from_arg_matches(&self.0).ok()?;
        let connection = connect.connect().await.ok()?;
        let namespace = (api.scope == Scope::Namespace).then_some(connection.namespace.as_str());
        let path = api.path(namespace);
        let request = http::Request::get(format!("{path}?includeObject=None&limit={LIMIT}"))
            .header(
                http::header::ACCEPT,
                "application/json;as=Table;v=v1;g=meta.k8s.io",
            )
            .body(Vec::new())
            .ok()?;
        connection.client.request(request).await.ok()
    }
}
