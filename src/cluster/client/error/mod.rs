//! Descriptions of failed requests that repeat no byte of a body.
//!
//! kube's errors may hold parts of a response: serde quotes the value that didn't fit, a
//! body that isn't UTF-8 is kept whole, and an answer that is no `Status` becomes the
//! message of one. Any of these may be a Secret's value. So no kube error is ever logged
//! or stored as it is, but only as the text of [`describe`].

use kube::runtime::watcher;

/// Maximum length of a repeated message of the API server, in bytes.
const MESSAGE_LIMIT: usize = 512;

/// Reasons of a `metav1.Status` whose message the API server itself has written.
const STATUS_REASONS: [&str; 21] = [
    "AlreadyExists",
    "BadRequest",
    "Conflict",
    "Expired",
    "Forbidden",
    "Gone",
    "InternalError",
    "Invalid",
    "MethodNotAllowed",
    "NotAcceptable",
    "NotFound",
    "RequestEntityTooLarge",
    "ServerTimeout",
    "ServiceUnavailable",
    "StorageReadError",
    "StoreReadError",
    "Timeout",
    "TooManyRequests",
    "Unauthorized",
    "Unknown",
    "UnsupportedMediaType",
];

/// Describes an error in one line, without response bodies and control characters.
#[must_use]
pub fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => describe_status(status),
        kube::Error::SerdeError(error) => {
            format!("the answer can't be decoded: {}", describe_json(error))
        }
        kube::Error::FromUtf8(_) => "the answer is not UTF-8".to_owned(),
        kube::Error::Service(error) => with_sources(error.as_ref()),
        kube::Error::HyperError(error) => with_sources(error),
        kube::Error::ReadEvents(error) => with_sources(error),
        // Errors of configuration, TLS and authentication hold no body.
        other => clean(&other.to_string()),
    }
}

/// [`describe`] for errors of kube's watcher.
#[must_use]
pub fn describe_watch(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error) => format!("list failed: {}", describe(error)),
        watcher::Error::WatchStartFailed(error) => {
            format!("watch not accepted: {}", describe(error))
        }
        watcher::Error::WatchError(status) => {
            format!("watch ended by the API server: {}", describe_status(status))
        }
        watcher::Error::WatchFailed(error) => format!("watch failed: {}", describe(error)),
        watcher::Error::NoResourceVersion => "list without a resourceVersion".to_owned(),
    }
}

/// Kind and place of a serde error, without the value that caused it.
#[must_use]
pub fn describe_json(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Io => "read error",
        serde_json::error::Category::Syntax => "not JSON",
        serde_json::error::Category::Data => "unexpected type or value",
        serde_json::error::Category::Eof => "cut short",
    };
    format!("{what} at line {} column {}", error.line(), error.column())
}

fn describe_status(status: &kube::core::Status) -> String {
    let (code, reason) = (status.code, status.reason.as_str());
    if STATUS_REASONS.contains(&reason) {
        format!("{code} {reason}: {}", clean(&status.message))
    } else {
        // Without a known reason the message may be anything, such as a body.
        format!("HTTP status {code}, and the answer does not say why")
    }
}

/// An error and its causes, each named once.
fn with_sources(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // serde errors quote what they read.
        let said = match error.downcast_ref::<serde_json::Error>() {
            Some(json) => describe_json(json),
            None => error.to_string(),
        };
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = error.source();
    }
    clean(&text)
}

/// A text without control characters, cut to [`MESSAGE_LIMIT`].
fn clean(text: &str) -> String {
    truncate(&without_control(text), MESSAGE_LIMIT).to_owned()
}

/// A text with each control character, such as a line break, replaced by a space.
pub(crate) fn without_control(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// The longest prefix of at most `limit` bytes that ends between characters.
pub(crate) fn truncate(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let end = (0..=limit)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests;
