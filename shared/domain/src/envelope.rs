//! The envelope: one event on its way from ingest to fanout, as printable ASCII.

use std::collections::BTreeMap;

/// Message attributes on the topic, so that other teams can subscribe with a filter. At most six: event, action,
/// repository, source, installation, version (raw delivery to SQS allows ten).
pub type Attributes = BTreeMap<&'static str, String>;
