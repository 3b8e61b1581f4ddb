//! Least privilege: each function's role permits what its ports need, and nothing else.
//!
//! Nobody keeps a list for this. Which ports a function holds, which adapters it makes and which settings it gives them
//! stands in its sources ([`wiring`]); what such an adapter asks of AWS stands in the adapter's ([`calls`]); which
//! resource a setting names stands in the template ([`template`]). Only what an operation needs is written down here.
//!
//! Parameters of SSM are SecureStrings under the account's own key `alias/aws/ssm`, whose policy lets everybody in the
//! account decrypt through SSM: no `kms:Decrypt`. Under another key each role would need it.

use std::collections::{BTreeMap, BTreeSet};

use crate::Tree;
use crate::calls::{Code, Reached};
use crate::stack::logical_id;
use crate::template::{Grant, TEMPLATE, Template};
use crate::wiring::{self, Made};

/// What a permission is for.
#[derive(Debug, Clone, Copy)]
enum On {
    /// The resource itself.
    It,
    /// The objects of a bucket.
    Objects,
    /// A table, and those of its indexes that the code on the way names.
    Indexes,
}

/// What each operation of the SDK needs (AWS: "Service Authorization Reference"). One that is not here is a finding.
const NEEDS: &[(&str, &[(&str, On)])] = &[
    ("batch_get_item", &[("dynamodb:BatchGetItem", On::It)]),
    ("batch_write_item", &[("dynamodb:BatchWriteItem", On::It)]),
    ("change_message_visibility", &[("sqs:ChangeMessageVisibility", On::It)]),
    ("change_message_visibility_batch", &[("sqs:ChangeMessageVisibility", On::It)]),
    ("delete_item", &[("dynamodb:DeleteItem", On::It)]),
    ("delete_message", &[("sqs:DeleteMessage", On::It)]),
    ("delete_message_batch", &[("sqs:DeleteMessage", On::It)]),
    ("get_item", &[("dynamodb:GetItem", On::It)]),
    // Without the second S3 answers 403 instead of 404 for a body that has expired (Amazon S3: "GetObject").
    ("get_object", &[("s3:GetObject", On::Objects), ("s3:ListBucket", On::It)]),
    ("get_parameter", &[("ssm:GetParameter", On::It)]),
    ("get_queue_attributes", &[("sqs:GetQueueAttributes", On::It)]),
    ("head_object", &[("s3:GetObject", On::Objects), ("s3:ListBucket", On::It)]),
    ("publish", &[("sns:Publish", On::It)]),
    ("put_item", &[("dynamodb:PutItem", On::It)]),
    ("put_object", &[("s3:PutObject", On::Objects)]),
    ("query", &[("dynamodb:Query", On::Indexes)]),
    ("receive_message", &[("sqs:ReceiveMessage", On::It)]),
    ("send_message", &[("sqs:SendMessage", On::It)]),
    ("send_message_batch", &[("sqs:SendMessage", On::It)]),
    ("update_item", &[("dynamodb:UpdateItem", On::It)]),
];

/// What talks to AWS.
const ADAPTERS: [&str; 2] = ["shared/aws/src/", "shared/store/src/"];

/// On AWS the template makes the table, and nobody who runs may.
const MAKES_THE_TABLE: &str = "shared/store/src/schema.rs: ";

/// Each function's role permits exactly what its ports need of AWS, and what Lambda needs to run it.
pub fn roles_are_exact(tree: &Tree) -> Vec<String> {
    check(tree).unwrap_or_else(|finding| vec![finding])
}

/// A permission with a star says beside it why.
pub fn stars_are_explained(tree: &Tree) -> Vec<String> {
    let lines: Vec<&str> = tree.text(TEMPLATE).unwrap_or_default().lines().collect();
    let mut findings = Vec::new();
    let mut statement = None;
    for (place, line) in lines.iter().enumerate() {
        match line.trim().trim_start_matches("- ") {
            "Effect: Allow" => statement = Some(place),
            "Effect: Deny" => statement = None,
            text if text.starts_with('#') || !line.starts_with("    ") => {}
            text if text.contains('*') => {
                let above = statement.and_then(|start| lines.get(start.checked_sub(1)?));
                if statement.is_some() && !above.is_some_and(|line| line.trim().starts_with('#')) {
                    findings.push(format!("{TEMPLATE}:{} has a star, and no comment says why", place + 1));
                }
            }
            _ => {}
        }
    }
    findings
}

/// One thing that a function needs: one of these, and no others for this.
type Need = BTreeSet<Grant>;

fn check(tree: &Tree) -> Result<Vec<String>, String> {
    let template = Template::of(tree)?;
    let (needed, mut findings) = needed(tree, &template)?;
    findings.extend(against(&template, &needed));
    Ok(findings)
}

/// What each function needs.
type Needed = BTreeMap<String, Vec<Need>>;

/// What each function needs, as its sources say, and what of them this cannot follow.
fn needed(tree: &Tree, template: &Template) -> Result<(Needed, Vec<String>), String> {
    let codes = ADAPTERS.map(|folder| Code::of(tree.rust().filter(|(path, _)| is_code(path, folder))));
    let codes: Vec<Code> = codes.into_iter().collect::<Result<_, _>>()?;
    let above = wiring::supertraits(tree)?;
    let constants = constants(tree);
    let mut findings = Vec::new();
    let mut needed = BTreeMap::new();
    let mut reached_by_any = BTreeSet::new();
    for name in tree.functions() {
        let is_adapter = |owner: &str| codes.iter().any(|code| code.has_public(owner));
        let wiring = wiring::of_function(tree, name, &is_adapter)?;
        let mut ports = wiring.ports.clone();
        ports.extend(wiring.ports.iter().filter_map(|port| above.get(port)).flatten().cloned());
        let id = logical_id(name);
        let mut needs: Vec<Need> = template.of_lambda(&id).into_iter().map(|grant| Need::from([grant])).collect();
        for made in &wiring.made {
            for code in codes.iter().filter(|code| code.has_public(&made.adapter)) {
                let of_ports = ports.iter().flat_map(|port| code.port_of(port, &made.adapter));
                let own = wiring.methods.iter().filter(|method| code.has_own(&made.adapter, method)).cloned();
                let reached = code.reach(&made.adapter, of_ports.chain(own).chain([made.constructor.clone()]));
                let indexes = indexes(template, &constants, &reached);
                for call in &reached.calls {
                    let variables = variables(code, made, call.field.as_ref());
                    let resources: BTreeSet<String> =
                        variables.iter().flat_map(|variable| template.variable(&id, variable)).collect();
                    match need(&call.operation, &resources, &indexes) {
                        Ok(more) => needs.extend(more),
                        Err(why) => findings.push(format!("{name}: {} calls {}: {why}", made.adapter, call.operation)),
                    }
                }
                reached_by_any.extend(reached.functions);
            }
        }
        needed.insert(name.to_owned(), needs);
    }
    let callers = codes.iter().flat_map(Code::callers).filter(|caller| !caller.starts_with(MAKES_THE_TABLE));
    findings.extend(callers.filter(|caller| !reached_by_any.contains(caller)).map(|caller| {
        format!("{caller} calls AWS, and no function seems to get there: if one does, give the value on the way a type")
    }));
    Ok((needed, findings))
}

/// Holds the roles against it.
fn against(template: &Template, needed: &Needed) -> Vec<String> {
    let beside = |kind: &str| matches!(kind, "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy" | "AWS::IAM::RolePolicy");
    let policies = template.resources().filter(|(_, kind, _)| beside(kind));
    let mut findings: Vec<_> =
        policies.map(|(id, ..)| format!("{id} permits something beside the functions' roles")).collect();
    for (name, needs) in needed {
        let (granted, mut unread) = template.granted(&logical_id(name));
        findings.append(&mut unread);
        findings.extend(compare(name, needs, &granted));
    }
    findings
}

/// What is missing, and what nobody needs.
fn compare(name: &str, needs: &[Need], granted: &BTreeSet<Grant>) -> Vec<String> {
    let words = |(action, resource): &Grant| format!("{action} on {resource}");
    let missing = needs.iter().filter(|need| need.is_disjoint(granted));
    let missing = missing.map(|need| {
        let any: Vec<_> = need.iter().map(words).collect();
        format!("{TEMPLATE} does not let {name} {}", any.join(" or "))
    });
    let superfluous = granted.iter().filter(|grant| !needs.iter().any(|need| need.contains(grant)));
    let superfluous =
        superfluous.map(|grant| format!("{TEMPLATE} lets {name} {}, which no port of it needs", words(grant)));
    missing.chain(superfluous).collect()
}

/// The variables that name the resource of a call: that of the argument behind the field, else those of any argument.
fn variables(code: &Code, made: &Made, field: Option<&(String, String)>) -> BTreeSet<String> {
    let place = field.filter(|(owner, _)| *owner == made.adapter);
    let place = place.and_then(|(owner, field)| code.parameter_of(owner, &made.constructor, field));
    match place.and_then(|place| made.variables.get(place)) {
        Some(variables) => variables.clone(),
        None => made.variables.iter().flatten().cloned().collect(),
    }
}

fn need(operation: &str, resources: &BTreeSet<String>, indexes: &BTreeSet<String>) -> Result<Vec<Need>, String> {
    let known = NEEDS.iter().find(|(known, _)| *known == operation);
    let (_, actions) = known.ok_or("nobody has said here what that needs: add it to NEEDS")?;
    if resources.is_empty() {
        return Err(format!("no setting of the function in {TEMPLATE} says on which resource"));
    }
    let mut needs = Vec::new();
    for (action, on) in *actions {
        let each =
            |end: &str| resources.iter().map(|id| ((*action).to_owned(), format!("{id}{end}"))).collect::<Need>();
        match on {
            On::It => needs.push(each("")),
            On::Objects => needs.push(each("/*")),
            On::Indexes => {
                needs.push(each(""));
                needs.extend(indexes.iter().map(|index| each(&format!("/index/{index}"))));
            }
        }
    }
    Ok(needs)
}

/// The indexes that the code on the way names by their constants.
fn indexes(template: &Template, constants: &BTreeMap<String, String>, reached: &Reached) -> BTreeSet<String> {
    let named = reached.constants.iter().filter_map(|constant| constants.get(constant));
    named.filter(|value| template.indexes().contains(*value)).cloned().collect()
}

/// The constants of `shared/store/src/keys.rs` that are texts.
fn constants(tree: &Tree) -> BTreeMap<String, String> {
    let lines = tree.text("shared/store/src/keys.rs").unwrap_or_default().lines();
    lines
        .filter_map(|line| {
            let (name, rest) = line.split_once("const ")?.1.split_once(": &str")?;
            Some((name.to_owned(), rest.split('"').nth(1)?.to_owned()))
        })
        .collect()
}

/// Not what only tests have.
fn is_code(path: &str, folder: &str) -> bool {
    path.starts_with(folder)
        && !path.ends_with("/tests.rs")
        && !path.contains("/tests/")
        && !path.ends_with("standin.rs")
}

#[cfg(test)]
mod tests;
