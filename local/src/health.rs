//! `/health` of one machine: both ports say what the queue file and the record suffer from.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use embedded::engine::Engine;
use embedded::queue::Queues;
use lambda::http::problem::Problem;

/// The same routes, and a 503 in place of a `/health` that would say that all is well while nothing can be accepted.
pub(crate) fn with_health(router: Router, queues: &Queues, engine: &Engine) -> Router {
    let (queues, engine) = (queues.clone(), engine.clone());
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let (queues, engine) = (queues.clone(), engine.clone());
        async move {
            let asked = request.uri().path() == "/health";
            // Asked first, so that whoever may not ask is told that.
            let answer = next.run(request).await;
            if !asked || !answer.status().is_success() {
                return answer;
            }
            if let Some(trouble) = queues.trouble().await {
                return unwell(&format!("What comes in cannot be kept: {trouble}. What was acknowledged is kept."));
            }
            match engine.trouble() {
                Some(trouble) => unwell(&format!("What comes in is kept, and not worked on: {trouble}.")),
                None => answer,
            }
        }
    }))
}

fn unwell(detail: &str) -> Response {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not well", detail).into_response()
}
