//! One call of a function by Lambda: what all its lines say, and the metrics at its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use lambda_runtime::Context;
use tracing::Instrument;

use crate::meter::Meter;

/// The calls of one process.
pub struct Invocations {
    meter: Arc<dyn Meter>,
    warm: AtomicBool,
}

impl Invocations {
    /// None yet: the next one is a cold start.
    pub fn new(meter: Arc<dyn Meter>) -> Self {
        Self { meter, warm: AtomicBool::new(false) }
    }

    /// Works through one call. Its lines name Lambda's request id, and whether it was the first of the process; what
    /// was counted goes out before Lambda hears that it is over, because the process may stand still from then on.
    pub async fn run<F: Future>(&self, request_id: &str, work: F) -> F::Output {
        let cold_start = !self.warm.swap(true, Ordering::Relaxed);
        let span = tracing::error_span!("invocation", request_id, cold_start);
        let output = work.instrument(span).await;
        self.meter.flush();
        output
    }
}

/// A router that is called by Lambda, and each request an invocation.
pub fn watched(router: Router, meter: Arc<dyn Meter>) -> Router {
    let invocations = Arc::new(Invocations::new(meter));
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let invocations = invocations.clone();
        async move {
            let id = request.extensions().get::<Context>().map(|context| context.request_id.clone());
            invocations.run(&id.unwrap_or_default(), next.run(request)).await
        }
    }))
}
