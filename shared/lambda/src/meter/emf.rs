//! Metrics in CloudWatch's embedded metric format: JSON lines on standard output that CloudWatch Logs turns into
//! metrics (Amazon CloudWatch: "Specification: Embedded metric format"). No call, no permission, no agent.
//!
//! Facts are held back until the batch or the invocation is over: a batch of ten costs one line, not ten. What has no
//! dimension and the first value of a dimension share a line; a line can hold only one value of a dimension, so each
//! further one has a line of its own.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use domain::ports::Clock;
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::{Fact, Meter};

/// The most samples of one metric in a line (the specification's limit for an array of values).
const SAMPLES: usize = 100;

/// Counts and samples of one function on their way to CloudWatch.
pub struct Emf {
    namespace: Option<String>,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
}

struct Held {
    tally: Tally,
    out: Box<dyn Write + Send>,
}

/// The one dimension that a metric may have, with its value.
type Dimension = Option<(&'static str, &'static str)>;

/// What a metric is called within its dimension.
type Name = (Dimension, &'static str);

/// Its name, its unit, and one value or several.
type Metric = (&'static str, &'static str, Value);

#[derive(Default)]
struct Tally {
    counts: BTreeMap<Name, u64>,
    samples: BTreeMap<&'static str, Vec<u64>>,
}

impl Emf {
    /// Writes to standard output. Without a namespace nothing is counted and nothing is written.
    pub fn new(namespace: Option<String>, clock: Arc<dyn Clock>) -> Self {
        Self::to(namespace, clock, Box::new(std::io::stdout()))
    }

    /// The same, to any place that takes lines.
    pub fn to(namespace: Option<String>, clock: Arc<dyn Clock>, out: Box<dyn Write + Send>) -> Self {
        Self { namespace, clock, held: Mutex::new(Held { tally: Tally::default(), out }) }
    }
}

impl Meter for Emf {
    fn count(&self, fact: Fact) {
        if self.namespace.is_none() {
            return;
        }
        let full = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.tally.add(fact);
            held.tally.samples.values().any(|samples| samples.len() >= SAMPLES)
        };
        if full {
            self.flush();
        }
    }

    fn flush(&self) {
        let Some(namespace) = &self.namespace else { return };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = std::mem::take(&mut held.tally).lines(namespace, self.clock.now().as_millisecond());
        // Standard output that is gone is nothing a delivery should fail for.
        let _ = held.out.write_all(lines.as_bytes()).and_then(|()| held.out.flush());
    }
}

impl Tally {
    fn add(&mut self, fact: Fact) {
        let mut plain = |name| *self.counts.entry((None, name)).or_default() += 1;
        match fact {
            Fact::Accepted => plain("Accepted"),
            Fact::Errored => plain("Errored"),
            Fact::Ignored => plain("Ignored"),
            Fact::Unhandled => plain("Unhandled"),
            Fact::Retried => plain("Retried"),
            Fact::Processed(after) => {
                plain("Processed");
                after.into_iter().for_each(|after| self.sample("WebhookToServer", after));
            }
            Fact::Written(after) => self.sample("WebhookToStatus", after),
            Fact::Refused(reason) => {
                *self.counts.entry((Some(("Reason", reason.as_str())), "Refused")).or_default() += 1;
            }
            Fact::Status(outcome) if outcome.is_final() => {
                *self.counts.entry((Some(("Outcome", outcome.as_str())), "Statuses")).or_default() += 1;
            }
            Fact::Status(_) => {}
        }
    }

    /// In milliseconds; clocks that disagree give 0, never less.
    fn sample(&mut self, name: &'static str, after: SignedDuration) {
        self.samples.entry(name).or_default().push(u64::try_from(after.as_millis()).unwrap_or(0));
    }

    fn lines(self, namespace: &str, now: i64) -> String {
        let mut dimensions: BTreeMap<Dimension, Vec<Metric>> = BTreeMap::new();
        for ((dimension, name), count) in self.counts {
            dimensions.entry(dimension).or_default().push((name, "Count", count.into()));
        }
        for (name, samples) in self.samples {
            let value = if let [one] = samples.as_slice() { (*one).into() } else { samples.into() };
            dimensions.entry(None).or_default().push((name, "Milliseconds", value));
        }
        let mut plain = dimensions.remove(&None);
        let mut lines = String::new();
        for (dimension, metrics) in dimensions {
            let parts = plain.take().map(|plain| (None, plain)).into_iter().chain([(dimension, metrics)]);
            lines.push_str(&line(namespace, now, parts.collect()));
        }
        if let Some(plain) = plain {
            lines.push_str(&line(namespace, now, vec![(None, plain)]));
        }
        lines
    }
}

fn line(namespace: &str, now: i64, parts: Vec<(Dimension, Vec<Metric>)>) -> String {
    let mut members = Map::new();
    let mut directives = Vec::new();
    for (dimension, metrics) in parts {
        let metric = |(name, unit, _): &Metric| json!({ "Name": name, "Unit": unit });
        directives.push(json!({
            "Namespace": namespace,
            "Dimensions": [dimension.iter().map(|(name, _)| name).collect::<Vec<_>>()],
            "Metrics": metrics.iter().map(metric).collect::<Vec<_>>(),
        }));
        members.extend(dimension.map(|(name, value)| (name.to_owned(), value.into())));
        members.extend(metrics.into_iter().map(|(name, _, value)| (name.to_owned(), value)));
    }
    members.insert("_aws".to_owned(), json!({ "Timestamp": now, "CloudWatchMetrics": directives }));
    format!("{}\n", Value::Object(members))
}

#[cfg(test)]
mod tests;
