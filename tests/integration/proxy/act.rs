//! What a proxy does with a request, and how answers are spoilt.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures::channel::mpsc;
use futures::{SinkExt as _, StreamExt as _};
use http::HeaderMap;
use http::header::DATE;
use http::request::Parts;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use jiff::SignedDuration;
use jiff::fmt::rfc2822;
use serde_json::json;
use testkit::Result;

use super::{Body, Failure, Response};

/// Makes another answer of one: status and body.
pub(crate) type Falsify = Arc<dyn Fn(u16, Vec<u8>) -> (u16, Vec<u8>) + Send + Sync>;

/// Says what to do with a line of a watch, the last of those so far.
pub(crate) type Lines = Arc<dyn Fn(&[Vec<u8>]) -> Line + Send + Sync>;

/// What is done with a request.
#[derive(Clone, Default)]
pub(crate) enum Act {
    /// It is passed on, and so is the answer.
    #[default]
    Pass,
    /// It waits until the rule gives something else.
    Hold,
    /// The same, and it is passed on then though its sender gave up: its bytes are on the way.
    HoldOnTheWay,
    /// It is passed on as if nothing but whole objects had been asked for.
    Whole,
    /// It is passed on, and its answer falsified.
    Falsify(Falsify),
    /// It is not passed on, and answered with this.
    Answer(u16, Vec<u8>),
    /// It is not passed on, and answered by 429 with this `Retry-After`, in seconds.
    Throttle(u64),
    /// It is not passed on, and the connection is reset.
    Drop,
    /// It is passed on after this time.
    Late(Duration),
    /// It is passed on, and the connection is reset in place of an answer.
    Lose,
    /// It is passed on, and the connection is reset after so many bytes of the answer.
    Break(usize),
    /// It is passed on with another head.
    Ask(Arc<dyn Fn(&mut Parts) + Send + Sync>),
    /// It is passed on, and its answer changed line by line.
    Lines(Lines),
    /// It is passed on, and its answer dated so many seconds later.
    Dated(i64),
}

/// What is done with a line of a watch.
pub(crate) enum Line {
    /// It goes on as it is.
    Pass,
    /// These go on in its place, each a line.
    Instead(Vec<Vec<u8>>),
    /// The answer ends, without this line.
    End,
    /// The answer ends with the first half of this line.
    Half,
    /// Nothing more comes, and it does not end.
    Stall,
}

/// A `Status` as the API server answers with one.
pub(crate) fn status(code: u16, reason: &str) -> Vec<u8> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "made up for a test", "reason": reason, "code": code,
    });
    status.to_string().into_bytes()
}

pub(super) fn answer(status: u16, headers: &[(&str, String)], body: Vec<u8>) -> Result<Response> {
    let mut answer = http::Response::builder()
        .status(status)
        .header("content-type", "application/json");
    for (name, value) in headers {
        answer = answer.header(*name, value);
    }
    Ok(answer.body(whole(body))?)
}

pub(super) fn throttle(seconds: u64) -> Result<Response> {
    let after = [("retry-after", seconds.to_string())];
    answer(429, &after, status(429, "TooManyRequests"))
}

/// The `Date` of an answer, so many seconds later.
pub(super) fn dated(headers: &mut HeaderMap, seconds: i64) -> Result {
    let date = headers.get(DATE).context("no Date")?.to_str()?;
    let date = rfc2822::parse(date)?.checked_add(SignedDuration::from_secs(seconds))?;
    let date = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date.timestamp())?;
    headers.insert(DATE, date.parse()?);
    Ok(())
}

pub(super) fn whole(body: Vec<u8>) -> Body {
    Full::new(Bytes::from(body))
        .map_err(Failure::from)
        .boxed_unsync()
}

pub(super) fn boxed(body: kube::client::Body) -> Body {
    body.map_err(Failure::from).boxed_unsync()
}

/// The first bytes, and then a reset.
pub(super) fn broken(body: kube::client::Body, bytes: usize) -> Body {
    let mut left = bytes;
    let cut = body.into_data_stream().flat_map(move |data| {
        let data = data.map_err(Failure::from).map(|mut data| {
            data.truncate(left);
            left -= data.len();
            Frame::data(data)
        });
        // At once, not when more would come.
        let end = (left == 0).then(|| Err(anyhow!("broken off")));
        futures::stream::iter([data].into_iter().chain(end))
    });
    // However short the body was.
    let end = futures::stream::once(async { Err(anyhow!("broken off")) });
    StreamBody::new(cut.chain(end)).boxed_unsync()
}

/// Each line as it is told.
pub(super) fn lines(body: kube::client::Body, change: Lines) -> Body {
    let (mut out, lines) = mpsc::channel::<Result<Frame<Bytes>>>(1);
    tokio::spawn(async move {
        let mut data = pin!(body.into_data_stream());
        let (mut seen, mut rest) = (Vec::new(), Vec::new());
        while let Some(Ok(part)) = data.next().await {
            rest.extend_from_slice(&part);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                seen.push(rest.drain(..=end).collect::<Vec<u8>>());
                let line = &seen[seen.len() - 1];
                let (lines, ends) = match change(&seen) {
                    Line::Pass => (vec![line.clone()], false),
                    Line::Instead(lines) => (lines, false),
                    Line::Half => (vec![line[..line.len() / 2].to_vec()], true),
                    Line::End => return,
                    Line::Stall => return std::future::pending().await,
                };
                for line in lines {
                    // Nobody listens any more.
                    if out.send(Ok(Frame::data(line.into()))).await.is_err() {
                        return;
                    }
                }
                if ends {
                    return;
                }
            }
        }
    });
    StreamBody::new(lines).boxed_unsync()
}
