//! The stack of `template.yaml` on an emulated AWS: the stories of the gateway told through it, faults in it, and the
//! contract suites of the ports against its services. `infra/e2e/run` deploys it and starts this.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod contracts;
pub mod proxy;
pub mod settings;
pub mod stack;
pub mod stories;
pub mod tell;
