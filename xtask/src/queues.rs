//! Rules about the queues of `template.yaml`: what the batch loop and the promises rely on.

use yaml_serde::Value;

use crate::Tree;
use crate::template::{TEMPLATE, Template, named};

/// The longest that SQS keeps a message: 14 days, in seconds (Amazon SQS: "Quotas").
const RETENTION: u64 = 14 * 24 * 3600;

/// Waiting counts as a receive, so that only the functions themselves decide when to give up.
const RECEIVES: u64 = 1000;

/// What a queue's function may take, by its lease, in seconds (`shared/domain/src/run.rs`).
const LEASE: u64 = 30;

/// Batches at once in an account that runs ten functions at once: four are left for deliveries and the API.
const BATCHES: u64 = 6;

/// Queues keep, encrypt, and give back one by one; time-outs, hiding and concurrency fit each other.
pub fn queues_keep_their_promises(tree: &Tree) -> Vec<String> {
    let template = match Template::of(tree) {
        Ok(template) => template,
        Err(finding) => return vec![finding],
    };
    let mut findings = Vec::new();
    let queues = template.resources().filter(|(_, kind, _)| *kind == "AWS::SQS::Queue");
    let queues: Vec<(&str, &Value)> = queues.map(|(id, _, queue)| (id, queue)).collect();
    let dead_letters: Vec<String> = queues.iter().filter_map(|(_, queue)| target(queue)).collect();
    for (id, queue) in &queues {
        let mut demand = |holds: bool, what: &str| {
            if !holds {
                findings.push(format!("{TEMPLATE}: {id} {what}"));
            }
        };
        let number = |key: &str| queue.get(key).and_then(Value::as_u64);
        let is = |key: &str, text: &str| queue.get(key).and_then(Value::as_str) == Some(text);
        let on = |key: &str| queue.get(key).and_then(Value::as_bool) == Some(true);
        demand(number("MessageRetentionPeriod") == Some(RETENTION), "does not keep messages for 14 days");
        demand(on("SqsManagedSseEnabled"), "is not encrypted");
        let fifo = on("FifoQueue");
        let sibling = queues.iter().find(|(other, _)| target(queue).as_deref() == Some(other)).map(|(_, it)| *it);
        if let Some(sibling) = sibling {
            let receives = queue.get("RedrivePolicy").and_then(|it| it.get("maxReceiveCount")).and_then(Value::as_u64);
            demand(receives == Some(RECEIVES), "gives up by itself before its function does");
            let same = sibling.get("FifoQueue").and_then(Value::as_bool) == Some(true);
            demand(same == fifo, "and its dead-letter queue are of two kinds");
            let allowed = sibling.get("RedriveAllowPolicy").and_then(|it| it.get("sourceQueueArns")).map(named);
            let name = queue.get("QueueName").map(named).unwrap_or_default().concat();
            let ends = |arn: &String| !name.is_empty() && arn.ends_with(&format!(":{name}"));
            demand(
                allowed.is_some_and(|it| it.len() == 1 && it.iter().all(ends)),
                "is not whom its dead-letter queue is for",
            );
        } else {
            let of_topic = !dead_letters.contains(&(*id).to_owned());
            let permission = queue.get("RedriveAllowPolicy").and_then(|it| it.get("redrivePermission"));
            let permission = permission.and_then(Value::as_str).unwrap_or("allowAll");
            demand(permission == if of_topic { "denyAll" } else { "byQueue" }, "takes dead letters of any queue");
        }
        if fifo {
            let own = queue.get("ContentBasedDeduplication").and_then(Value::as_bool) == Some(false);
            demand(own, "would drop a status that says what an earlier one said");
            let fast = is("DeduplicationScope", "messageGroup") && is("FifoThroughputLimit", "perMessageGroupId");
            demand(fast, "is no high-throughput queue");
        }
    }
    let functions = template.resources().filter(|(_, kind, _)| *kind == "AWS::Serverless::Function");
    for (id, _, function) in functions {
        if function.get("ReservedConcurrentExecutions").is_some() {
            findings.push(format!("{TEMPLATE}: {id} reserves what a new account cannot reserve"));
        }
        let events = function.get("Events").and_then(Value::as_mapping).into_iter().flatten();
        for (_, event) in events.filter(|(_, event)| event.get("Type").and_then(Value::as_str) == Some("SQS")) {
            let types = event.get("Properties").and_then(|it| it.get("FunctionResponseTypes")).map(named);
            if types.unwrap_or_default() != ["ReportBatchItemFailures"] {
                findings.push(format!("{TEMPLATE}: a failure of one message of {id} is one of its batch"));
            }
        }
    }
    findings.extend(times(&template));
    findings
}

fn times(template: &Template) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, longest) in [("FanoutTimes", LEASE), ("StatusTimes", 900)] {
        let text = template.default_of(name);
        let pair = text.split_once(',').and_then(|(a, b)| Some((a.parse::<u64>().ok()?, b.parse::<u64>().ok()?)));
        if !pair.is_some_and(|(run, hidden)| run <= longest && hidden == 6 * run) {
            findings.push(format!("{TEMPLATE}: {name} is {text:?}: at most {longest}, and six times that, are right"));
        }
    }
    let batches: Option<u64> = ["FanoutConcurrency", "StatusConcurrency"]
        .iter()
        .map(|name| template.default_of(name).parse::<u64>().ok())
        .sum();
    if batches.is_none_or(|batches| batches > BATCHES) {
        findings.push(format!("{TEMPLATE}: more than {BATCHES} batches at once leave too little for deliveries"));
    }
    findings
}

/// Where a queue's dead letters go.
fn target(queue: &Value) -> Option<String> {
    queue.get("RedrivePolicy")?.get("deadLetterTargetArn").map(named)?.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_promise_is_found() {
        let text = Tree::of_repository().unwrap().text(TEMPLATE).unwrap().to_owned();
        for (from, to) in [
            ("MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 345600"),
            ("      SqsManagedSseEnabled: true\n", ""),
            ("maxReceiveCount: 1000", "maxReceiveCount: 5"),
            ("        redrivePermission: denyAll\n", "        redrivePermission: allowAll\n"),
            ("${AWS::AccountId}:${AWS::StackName}-fanout\"]", "${AWS::AccountId}:${AWS::StackName}-other\"]"),
            ("      FifoQueue: true\n", "      FifoQueue: false\n"),
            ("ContentBasedDeduplication: false", "ContentBasedDeduplication: true"),
            ("DeduplicationScope: messageGroup", "DeduplicationScope: queue"),
            ("FifoThroughputLimit: perMessageGroupId", "FifoThroughputLimit: perQueue"),
            ("            FunctionResponseTypes: [ReportBatchItemFailures]\n", ""),
            ("      Timeout: 10\n", "      Timeout: 10\n      ReservedConcurrentExecutions: 5\n"),
            ("Default: \"30,180\"", "Default: \"30,90\""),
            ("Default: \"30,180\"", "Default: \"60,360\""),
            ("Default: \"60,360\"", "Default: \"60,300\""),
            ("    MaxValue: 1000\n    Default: 4\n", "    MaxValue: 1000\n    Default: 9\n"),
        ] {
            assert!(text.contains(from), "{from}");
            let broken = text.replacen(from, to, 1);
            let tree = Tree::from([(TEMPLATE, broken.as_str())]);
            assert!(!queues_keep_their_promises(&tree).is_empty(), "{from} -> {to}");
        }
        assert_eq!(queues_keep_their_promises(&Tree::from([(TEMPLATE, text.as_str())])), [""; 0]);
    }
}
