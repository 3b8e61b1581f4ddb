//! AWS behind the ports, one file per service: SNS carries events, SQS statuses and dead letters, S3 bodies, SSM
//! secrets. Each type here needs exactly the IAM actions that its doc comment names.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod client;
pub mod dead_letters;
pub mod s3;
pub mod sns;
pub mod sqs;
pub mod ssm;

mod failure;
mod settings;
#[cfg(test)]
mod standin;
mod warm;
