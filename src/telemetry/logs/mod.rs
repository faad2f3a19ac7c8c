//! Structured logs on standard error.

use std::io::IsTerminal as _;

use tracing::level_filters::LevelFilter;
use tracing::subscriber::SetGlobalDefaultError;
use tracing_subscriber::filter::{FilterExt as _, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

/// Format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// Text for people, coloured on a terminal.
    Text,
}

/// Reason why logging can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is neither a level nor a list of `target=level`.
    #[error(
        "invalid log level {level:?}: {source}; use error, warn, info, debug, trace or a list of target=level"
    )]
    Level {
        /// The given level.
        level: String,
        /// The problem.
        source: tracing_subscriber::filter::ParseError,
    },
    /// A part of the level is a word that is no level. A filter would take it for a target and
    /// log nothing else.
    #[error(
        "invalid log level {0:?}; use off, error, warn, info, debug, trace or a list of target=level"
    )]
    Word(String),
    /// Logging was set up before.
    #[error("logging is set up already: {0}")]
    Twice(#[from] SetGlobalDefaultError),
}

/// Sets up logging for the process.
///
/// `level` is a level or a list of `target=level` with targets of this program.
///
/// # Errors
/// If the level is invalid, or logging was set up before.
pub fn init(format: LogFormat, level: &str) -> Result<(), LogError> {
    let ansi = std::io::stderr().is_terminal();
    tracing::subscriber::set_global_default(subscriber(format, level, std::io::stderr, ansi)?)?;
    Ok(())
}

/// The filter that no flag can loosen: only Projsync's own events are logged.
///
/// Dependencies log parts of what they read, which here are Secrets. `kube_client::client`
/// logs the whole body of an answer that it can't decode (at warn) and of an error that is no
/// `Status` (at debug), `kube_runtime::watcher` the `Debug` of such errors, and HTTP and TLS
/// crates log buffers and frames if their tracing is compiled in. A list of harmful targets
/// would need a review with each update, so all dependencies are off. Nothing is lost:
/// Projsync's own code logs requests, watches and their errors, without bodies. (Events of the
/// `log` crate don't come here, since its bridge is not compiled in.)
fn own_events_only() -> Targets {
    Targets::new()
        .with_default(LevelFilter::OFF)
        .with_target(env!("CARGO_PKG_NAME"), LevelFilter::TRACE)
}

/// Finds the first part of `level` that is neither a level nor `target=level`.
fn bare_target(level: &str) -> Option<&str> {
    let mut parts = level.split(',').map(str::trim);
    parts.find(|part| !part.contains('=') && part.parse::<LevelFilter>().is_err())
}

fn subscriber<W>(
    format: LogFormat,
    level: &str,
    writer: W,
    ansi: bool,
) -> Result<impl tracing::Subscriber + Send + Sync + use<W>, LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    if let Some(word) = bare_target(level) {
        return Err(LogError::Word(word.to_owned()));
    }
    let wanted = EnvFilter::builder()
        .parse(level)
        .map_err(|source| LogError::Level {
            level: level.to_owned(),
            source,
        })?;
    let lines = fmt::layer().with_writer(writer).with_ansi(ansi);
    let lines = match format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
        LogFormat::Text => lines.boxed(),
    };
    Ok(Registry::default().with(lines.with_filter(wanted.and(own_events_only()))))
}

#[cfg(test)]
mod tests;
