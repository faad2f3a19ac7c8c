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
mod tests {
    use super::*;
    use http::{Request, Response};
    use k8s_openapi::api::core::v1::{ConfigMap, Secret};
    use kube::api::{Api, ListParams, WatchParams};
    use kube::client::Body;
    use kube::runtime::watcher;
    use parking_lot::Mutex;
    use std::convert::Infallible;
    use std::io::Write;
    use std::sync::Arc;

    const SECRET: &str = "hunter2";

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).expect("UTF-8")
        }
    }

    fn capture(format: LogFormat, level: &str) -> (Lines, tracing::subscriber::DefaultGuard) {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(format, level, move || writer.clone(), false).expect("a level");
        (lines, tracing::subscriber::set_default(subscriber))
    }

    #[test]
    fn json_is_one_flat_object_a_line() {
        let (lines, _guard) = capture(LogFormat::Json, "info");
        tracing::info!(namespace = "shop", "rolled");
        tracing::debug!("not at this level");
        let text = lines.text();
        assert_eq!(text.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(line["message"], "rolled");
        assert_eq!(line["namespace"], "shop");
        assert_eq!(line["level"], "INFO");
        assert!(line["timestamp"].is_string());
    }

    #[test]
    fn text_is_for_people() {
        let (lines, _guard) = capture(LogFormat::Text, "debug");
        tracing::debug!(namespace = "shop", "rolled");
        assert!(
            lines.text().contains("DEBUG") && lines.text().contains(r#"rolled namespace="shop""#),
            "{}",
            lines.text()
        );
    }

    #[test]
    fn a_bad_level_is_refused_with_advice() {
        for level in ["projsync=loud", "debgu", "info,projsync"] {
            let error = subscriber(LogFormat::Json, level, std::io::sink, false)
                .map(|_| ())
                .expect_err("refused");
            assert!(error.to_string().contains("error, warn"), "{error}");
        }
    }

    #[test]
    fn targets_of_others_stay_off_whatever_is_asked_for() {
        for level in [
            "trace",
            "trace,kube_client=trace,kube_runtime=trace,hyper=trace,h2=trace,rustls=trace",
        ] {
            let (lines, _guard) = capture(LogFormat::Json, level);
            tracing::error!(target: "kube_client::client", "{SECRET}");
            tracing::warn!(target: "kube_runtime::watcher", body = SECRET);
            tracing::trace!(target: "h2::codec::framed_read", "{SECRET}");
            tracing::trace!(target: "hyper::proto::h1::io", "{SECRET}");
            tracing::trace!(target: "rustls::conn", "{SECRET}");
            tracing::error!(target: "another_crate", "{SECRET}");
            tracing::trace!("our own");
            assert_eq!(lines.text().lines().count(), 1, "{}", lines.text());
            assert!(lines.text().contains("our own"));
        }
    }

    /// The real client and watcher, given answers that they can't decode.
    #[tokio::test]
    async fn no_body_is_logged_at_trace_level() {
        let bodies = [
            (200, format!(r#"{{"kind":"Secret","data":"{SECRET}"}}"#)),
            (200, format!(r#"{{"items":[{{"metadata":"{SECRET}"}}]}}"#)),
            (
                200,
                format!(r#"{{"type":"ADDED","object":{{"metadata":"{SECRET}"}}}}"#),
            ),
            (200, format!("{SECRET} no JSON")),
            (500, format!("{SECRET} no Status")),
            (
                403,
                format!(r#"{{"kind":"Secret","data":{{"a":"{SECRET}"}}}}"#),
            ),
        ];
        // That this would show something: the same without the cap.
        let uncapped = Lines::default();
        let writer = uncapped.clone();
        let layer = fmt::layer().with_writer(move || writer.clone());
        let guard = tracing::subscriber::set_default(Registry::default().with(layer));
        for (status, body) in &bodies {
            exercise(*status, body).await;
        }
        drop(guard);
        assert!(uncapped.text().contains(SECRET));

        let (lines, _guard) = capture(
            LogFormat::Json,
            "trace,kube_client=trace,kube_runtime=trace,tower=trace",
        );
        tracing::trace!("begin");
        for (status, body) in &bodies {
            exercise(*status, body).await;
        }
        assert!(lines.text().contains("begin"));
        assert!(!lines.text().contains(SECRET), "{}", lines.text());
    }

    async fn exercise(status: u16, body: &str) {
        let body = body.to_owned();
        let service = tower::service_fn(move |_: Request<Body>| {
            let mut response = Response::new(axum::body::Body::from(body.clone()));
            *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
            async { Ok::<_, Infallible>(response) }
        });
        let client = kube::Client::new(service, "ns");
        let secrets: Api<Secret> = Api::namespaced(client.clone(), "ns");
        secrets.get("a").await.ok();
        secrets.list(&ListParams::default()).await.ok();
        secrets.get_metadata("a").await.ok();
        if let Ok(stream) = secrets.watch(&WatchParams::default(), "0").await {
            use futures::StreamExt as _;
            stream.boxed().next().await;
        }
        let maps: Api<ConfigMap> = Api::namespaced(client, "ns");
        let mut events = std::pin::pin!(watcher(maps, watcher::Config::default()));
        use futures::StreamExt as _;
        for _ in 0..3 {
            if let Some(Err(error)) = events.next().await {
                let said = crate::cluster::client::error::describe_watch(&error);
                assert!(!said.contains(SECRET), "{said}");
            }
        }
    }
}
