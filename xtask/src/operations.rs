//! Rules about running the stack: what `docs/aws.md` says of alarms and costs is what `template.yaml` has and what the
//! figures come to, and nothing limits deliveries.

use std::collections::BTreeSet;

use yaml_serde::Value;

use crate::Tree;
use crate::stack::logical_id;
use crate::template::{TEMPLATE, Template, named};

const GUIDE: &str = "docs/aws.md";

/// Every alarm has its row in the guide and its place on the dashboard, and tells somebody; every row has its alarm.
pub fn alarms_are_explained(tree: &Tree) -> Vec<String> {
    let template = match Template::of(tree) {
        Ok(template) => template,
        Err(finding) => return vec![finding],
    };
    let alarms: Vec<_> = template.resources().filter(|(_, kind, _)| *kind == "AWS::CloudWatch::Alarm").collect();
    let name = |alarm: &Value| {
        let name = alarm.get("AlarmName").map(named).unwrap_or_default().concat();
        name.strip_prefix("${AWS::StackName}-").unwrap_or(&name).to_owned()
    };
    let names: BTreeSet<String> = alarms.iter().map(|(.., alarm)| name(alarm)).collect();
    let rows = rows_of(tree.text(GUIDE).unwrap_or_default());
    let dashboards = template.resources().filter(|(_, kind, _)| *kind == "AWS::CloudWatch::Dashboard");
    let boards: String = dashboards.filter_map(|(.., it)| it.get("DashboardBody")).flat_map(named).collect();
    let mut findings: Vec<String> =
        names.difference(&rows).map(|name| format!("{GUIDE} does not say what the alarm {name} means")).collect();
    findings.extend(rows.difference(&names).map(|name| format!("{GUIDE} explains {name}, which is no alarm")));
    for (id, _, alarm) in &alarms {
        if !boards.contains(&format!("\"${{{id}.Arn}}\"")) {
            findings.push(format!("{id} is not on the dashboard"));
        }
        if alarm.get("AlarmActions").map(named).unwrap_or_default().is_empty() {
            findings.push(format!("{id} tells nobody"));
        }
    }
    findings
}

/// Every dead-letter queue has an alarm on its first message, and every function on its errors and throttles.
pub fn what_can_fail_has_its_alarm(tree: &Tree) -> Vec<String> {
    let template = match Template::of(tree) {
        Ok(template) => template,
        Err(finding) => return vec![finding],
    };
    let watched = |metric: &str, resource: &str| {
        template.resources().any(|(_, kind, alarm)| {
            let is = |key: &str, text: &str| alarm.get(key).and_then(Value::as_str) == Some(text);
            let values = alarm.get("Dimensions").and_then(Value::as_sequence).into_iter().flatten();
            let of = values.filter_map(|it| it.get("Value")).flat_map(named);
            let first = alarm.get("Threshold").and_then(Value::as_u64) == Some(1);
            kind == "AWS::CloudWatch::Alarm"
                && is("MetricName", metric)
                && is("ComparisonOperator", "GreaterThanOrEqualToThreshold")
                && first
                && of.map(|it| it.trim_end_matches(".QueueName").to_owned()).any(|it| it == resource)
        })
    };
    let mut wanted: Vec<(&str, String)> = Vec::new();
    for (.., properties) in template.resources() {
        let target = properties.get("RedrivePolicy").and_then(|it| it.get("deadLetterTargetArn"));
        wanted.extend(
            target.map(named).unwrap_or_default().into_iter().map(|it| ("ApproximateNumberOfMessagesVisible", it)),
        );
    }
    if wanted.is_empty() {
        return vec![format!("{TEMPLATE} has no dead-letter queues")];
    }
    for function in tree.functions() {
        wanted.extend(["Errors", "Throttles"].map(|metric| (metric, logical_id(function))));
    }
    let silent = wanted.into_iter().filter(|(metric, resource)| !watched(metric, resource));
    silent.map(|(metric, resource)| format!("{TEMPLATE} has no alarm on the first of {metric} of {resource}")).collect()
}

/// Only the account's limit holds for deliveries: no limit of the stage, none of the route. Every other route has one.
pub fn deliveries_are_not_limited(tree: &Tree) -> Vec<String> {
    let template = match Template::of(tree) {
        Ok(template) => template,
        Err(finding) => return vec![finding],
    };
    let mut limited = BTreeSet::new();
    let mut routes = BTreeSet::new();
    let mut findings = Vec::new();
    for (id, kind, properties) in template.resources() {
        if kind == "AWS::Serverless::HttpApi" {
            if properties.get("DefaultRouteSettings").is_some() {
                findings.push(format!("{id} limits every route, deliveries too"));
            }
            let settings = properties.get("RouteSettings").and_then(Value::as_mapping).into_iter().flatten();
            limited.extend(settings.filter_map(|(route, _)| route.as_str()).map(str::to_owned));
        }
        if kind == "AWS::Serverless::Function" {
            let events = properties.get("Events").and_then(Value::as_mapping).into_iter().flatten();
            routes.extend(events.filter_map(|(_, event)| {
                let (method, path) = (event.get("Properties")?.get("Method")?, event.get("Properties")?.get("Path")?);
                let (method, path) = (method.as_str()?, path.as_str()?);
                Some(if path == "$default" { path.to_owned() } else { format!("{method} {path}") })
            }));
        }
    }
    if !routes.remove("POST /github") {
        findings.push(format!("{TEMPLATE} has no route POST /github"));
    }
    findings.extend(routes.difference(&limited).map(|route| format!("{TEMPLATE} does not limit {route}")));
    findings.extend(limited.difference(&routes).map(|route| format!("{TEMPLATE} limits {route}")));
    findings
}

/// A panic in a function unwinds, so that the batch loop can catch it for its one message.
pub fn functions_unwind(tree: &Tree) -> Vec<String> {
    let files = tree.files().filter(|(path, _)| path.ends_with("Cargo.toml") || path.starts_with(".cargo/"));
    let aborts = |text: &str| {
        text.lines().any(|line| {
            let line = line.split('#').next().unwrap_or_default().replace([' ', '"', '\''], "");
            line.contains("panic=abort")
        })
    };
    let files = files.filter(|(path, text)| !path.starts_with("examples/") && aborts(text));
    files
        .map(|(path, _)| format!("{path} lets panics end the process, and every message of the batch with it"))
        .collect()
}

/// In every table after `<!-- sums -->` each amount is units times price, and the last row the sum.
pub fn costs_add_up(tree: &Tree) -> Vec<String> {
    let text = tree.text(GUIDE).unwrap_or_default();
    let mut findings = Vec::new();
    let tables = text.split("<!-- sums -->").skip(1);
    for table in tables.clone() {
        let rows = table.trim_start().lines().take_while(|line| line.starts_with('|')).skip(2);
        let mut sums = [0_i64; 2];
        let mut summed = false;
        for row in rows {
            let cells: Vec<String> =
                row.trim_matches('|').split('|').map(|cell| cell.trim().replace('*', "")).collect();
            let [what, price, amounts @ ..] = cells.as_slice() else { continue };
            for (place, pair) in amounts.chunks(2).enumerate().take(2) {
                let [units, said] = pair else { continue };
                let said = hundredths(said);
                let right = if what == "sum" { Some(sums[place]) } else { product(price, units) };
                if said.is_none() || said != right {
                    findings.push(format!("{GUIDE}: {what}: {right:?} cents are right, not {said:?}"));
                }
                sums[place] += said.unwrap_or_default();
            }
            summed |= what == "sum";
        }
        if !summed {
            findings.push(format!("{GUIDE} has a table of costs without its sum"));
        }
    }
    if tables.count() == 0 {
        findings.push(format!("{GUIDE} has no table of costs"));
    }
    findings
}

/// The first cells, in backticks, of the table under "Alarms".
fn rows_of(guide: &str) -> BTreeSet<String> {
    let section = guide.split("\n## Alarms\n").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(name, _)| name.to_owned()).collect()
}

fn hundredths(text: &str) -> Option<i64> {
    cents(text.parse().ok()?)
}

fn product(price: &str, units: &str) -> Option<i64> {
    cents(price.parse::<f64>().ok()? * units.parse::<f64>().ok()?)
}

#[expect(clippy::cast_possible_truncation, reason = "a cost of a few dollars")]
fn cents(dollars: f64) -> Option<i64> {
    // What is not quite half a cent only by the binary fraction counts as half.
    dollars.is_finite().then(|| (dollars * 100.0 + 1e-6).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(rule: crate::Rule, path: &str, from: &str, to: &str) -> usize {
        let mut tree = Tree::of_repository().unwrap();
        let text = tree.text(path).unwrap().to_owned();
        assert!(text.contains(from), "{path} holds {from}");
        tree.0.insert(path.to_owned(), text.replacen(from, to, 1));
        rule(&tree).len()
    }

    #[test]
    fn what_does_not_agree_is_found() {
        type Case = (crate::Rule, &'static str, &'static str, &'static str);
        let cases: [Case; 21] = [
            (alarms_are_explained, GUIDE, "| `fanout-age` |", "| fanout-age |"),
            (alarms_are_explained, GUIDE, "| `fanout-age` |", "| `more` | a | b |\n| `fanout-age` |"),
            (alarms_are_explained, TEMPLATE, "${AWS::StackName}-http-5xx", "${AWS::StackName}-http-500"),
            (alarms_are_explained, TEMPLATE, "\"${EventsLostAlarm.Arn}\",", ""),
            (alarms_are_explained, TEMPLATE, "      AlarmActions: [!Ref Alarms]\n", ""),
            (
                what_can_fail_has_its_alarm,
                TEMPLATE,
                "deadLetterTargetArn: !GetAtt FanoutDeadLetters.Arn",
                "deadLetterTargetArn: !GetAtt Other.Arn",
            ),
            (
                what_can_fail_has_its_alarm,
                TEMPLATE,
                "Value: !GetAtt EventsDeadLetters.QueueName",
                "Value: !GetAtt FanoutQueue.QueueName",
            ),
            (what_can_fail_has_its_alarm, TEMPLATE, "      Threshold: 1\n", "      Threshold: 2\n"),
            (what_can_fail_has_its_alarm, TEMPLATE, "MetricName: Throttles", "MetricName: Invocations"),
            (what_can_fail_has_its_alarm, TEMPLATE, "MetricName: Errors", "MetricName: Invocations"),
            (
                deliveries_are_not_limited,
                TEMPLATE,
                "      RouteSettings:\n",
                "      DefaultRouteSettings: { ThrottlingRateLimit: 9 }\n      RouteSettings:\n",
            ),
            (
                deliveries_are_not_limited,
                TEMPLATE,
                "      RouteSettings:\n",
                "      RouteSettings:\n        \"POST /github\": { ThrottlingRateLimit: 9 }\n",
            ),
            (
                deliveries_are_not_limited,
                TEMPLATE,
                "        \"GET /health\": { ThrottlingRateLimit: 10, ThrottlingBurstLimit: 10 }\n",
                "",
            ),
            (deliveries_are_not_limited, TEMPLATE, "            Path: /github\n", "            Path: /hub\n"),
            (functions_unwind, "Cargo.toml", "[profile.release]\n", "[profile.release]\npanic = \"abort\"\n"),
            (
                functions_unwind,
                "functions/status/Cargo.toml",
                "[lints]",
                "[profile.e2e]\npanic='abort' # faster\n[lints]",
            ),
            (costs_add_up, GUIDE, "| 8 | 5.00 | 8 | 5.00 |", "| 8 | 5.00 | 9 | 5.00 |"),
            (costs_add_up, GUIDE, "| DynamoDB, write units | 0.625 |", "| DynamoDB, write units | 0.63 |"),
            (costs_add_up, GUIDE, "**9.88**", "**9.89**"),
            (costs_add_up, GUIDE, "| **sum** |", "| all |"),
            (
                costs_add_up,
                GUIDE,
                "<!-- sums -->\n| for each event | a million cost | one by one | $ | batches of ten | $ |\n",
                "<!-- sums -->\n\n",
            ),
        ];
        for (rule, path, from, to) in cases {
            assert!(findings(rule, path, from, to) > 0, "{path}: {from} -> {to}");
        }
    }

    #[test]
    fn cents_are_rounded_as_people_do() {
        for (price, units, right) in
            [("0.0033333", "25", 8), ("0.50", "0.2", 10), ("0.005", "1", 1), ("0.0049", "1", 0)]
        {
            assert_eq!(product(price, units), Some(right), "{price} * {units}");
        }
        assert_eq!(product("one", "1"), None);
    }
}
