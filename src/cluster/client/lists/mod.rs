//! One page of a list at a time.
//!
//! The text of a page is held until it is decoded, and users write objects of up to 1.5 MB. At the
//! start all kinds are listed at once, so pages are taken in turn.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Method, Request, Response, Uri};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower::{Layer, Service};

/// Time after which a list goes on though another has not ended: that one may hang.
const PATIENCE: Duration = Duration::from_secs(10);

/// Has lists wait for each other, a page at a time. Watches and other requests don't.
#[derive(Clone, Debug)]
pub(super) struct ListLayer(Arc<Semaphore>);

/// Service of [`ListLayer`].
#[derive(Clone, Debug)]
pub(super) struct ListService<S> {
    inner: S,
    turn: Arc<Semaphore>,
}

impl Default for ListLayer {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl<S> Layer<S> for ListLayer {
    type Service = ListService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ListService {
            inner,
            turn: self.0.clone(),
        }
    }
}

/// Whether a request asks for a page.
fn is_page(method: &Method, uri: &Uri) -> bool {
    let mut fields = uri.query().unwrap_or_default().split('&');
    method == Method::GET && fields.any(|field| field.starts_with("limit="))
}

impl<S, A, B> Service<Request<A>> for ListService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: BodyExt + Send + 'static,
{
    type Response = Response<UnsyncBoxBody<B::Data, B::Error>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let turn = is_page(request.method(), request.uri()).then(|| self.turn.clone());
        // Nothing is sent before it is awaited.
        let answer = self.inner.call(request);
        Box::pin(async move {
            let turn = match turn {
                Some(turn) => timeout(PATIENCE, turn.acquire_owned()).await.ok(),
                None => None,
            };
            let answer = answer.await?;
            Ok(answer.map(|body| {
                body.map_frame(move |frame| {
                    // It ends with the body.
                    let _ = &turn;
                    frame
                })
                .boxed_unsync()
            }))
        })
    }
}

#[cfg(test)]
mod tests;
