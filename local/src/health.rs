//! `/health` of one machine: both ports say what the queue file suffers from.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use embedded::queue::Queues;
use lambda::http::problem::Problem;

/// The same routes, and a 503 in place of a `/health` that would say that all is well while nothing can be accepted.
pub(crate) fn with_health(router: Router, queues: &Queues) -> Router {
    let queues = queues.clone();
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let queues = queues.clone();
        async move {
            let asked = request.uri().path() == "/health";
            // Asked first, so that whoever may not ask is told that.
            let answer = next.run(request).await;
            if !asked || !answer.status().is_success() {
                return answer;
            }
            queues.trouble().await.map_or(answer, |trouble| unwell(&trouble))
        }
    }))
}

fn unwell(trouble: &str) -> Response {
    let detail = format!("What comes in cannot be kept: {trouble}. What was acknowledged is kept.");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not well", detail).into_response()
}
