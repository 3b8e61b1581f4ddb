//! What a piece of work is about, said once: every line that is written meanwhile tells, a panic's line too.

use domain::ids::{EventId, ReceiptId, Repository};
use domain::trace::TraceId;
use tracing::Span;
use tracing::field::{Empty, display};

/// A span for one piece of work. What it is about is mostly found out on the way: see [`about`]. It is there at every
/// level of logging, because a warning needs it most.
pub fn subject() -> Span {
    tracing::error_span!("about", event = Empty, receipt = Empty, repository = Empty, trace_id = Empty)
}

/// Tells the present [`subject`] what it is about; what is not known yet can be told later.
pub fn about(
    event: Option<&EventId>,
    receipt: Option<ReceiptId>,
    repository: Option<&Repository>,
    trace: Option<&TraceId>,
) {
    let span = Span::current();
    event.inspect(|event| record(&span, "event", event));
    receipt.inspect(|receipt| record(&span, "receipt", receipt));
    repository.inspect(|repository| record(&span, "repository", repository));
    trace.inspect(|trace| record(&span, "trace_id", trace));
}

fn record(span: &Span, name: &'static str, value: &dyn std::fmt::Display) {
    span.record(name, display(value));
}
