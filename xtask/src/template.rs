//! `template.yaml` as data: what each function is told, and what its role permits.

use std::collections::BTreeSet;

use yaml_serde::Value;

use crate::Tree;

/// Where the stack stands.
pub const TEMPLATE: &str = "template.yaml";

/// One action on one resource, in the form of [`named`].
pub type Grant = (String, String);

/// The stack.
pub struct Template {
    root: Value,
}

impl Template {
    /// Reads it.
    ///
    /// # Errors
    /// A finding, when there is none or it is no YAML.
    pub fn of(tree: &Tree) -> Result<Self, String> {
        let text = tree.text(TEMPLATE).ok_or_else(|| format!("{TEMPLATE} is missing"))?;
        yaml_serde::from_str(text).map(|root| Self { root }).map_err(|error| format!("{TEMPLATE}: {error}"))
    }

    /// Every resource: its logical id, its type, its properties.
    pub fn resources(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let resources = self.root.get("Resources").and_then(Value::as_mapping);
        resources.into_iter().flatten().filter_map(|(id, resource)| {
            Some((id.as_str()?, resource.get("Type")?.as_str()?, resource.get("Properties").unwrap_or(&Value::Null)))
        })
    }

    /// The properties of one resource.
    pub fn properties(&self, id: &str) -> Option<&Value> {
        self.resources().find(|(name, ..)| *name == id).map(|(.., properties)| properties)
    }

    /// A parameter's default, as text; empty when there is none.
    pub fn default_of(&self, parameter: &str) -> String {
        let default = self.root.get("Parameters").and_then(|it| it.get(parameter)?.get("Default"));
        match default {
            Some(Value::Number(number)) => number.to_string(),
            Some(value) => value.as_str().unwrap_or_default().to_owned(),
            None => String::new(),
        }
    }

    /// What a variable of a function's environment names: resources, or parameters of SSM.
    pub fn variable(&self, function: &str, name: &str) -> Vec<String> {
        let variables = self.properties(function).and_then(|it| it.get("Environment")?.get("Variables"));
        variables.and_then(|it| it.get(name)).map(named).unwrap_or_default()
    }

    /// The names of the table's indexes.
    pub fn indexes(&self) -> BTreeSet<String> {
        let tables = self.resources().filter(|(_, kind, _)| *kind == "AWS::DynamoDB::Table");
        let indexes = tables.filter_map(|(.., table)| table.get("GlobalSecondaryIndexes")?.as_sequence()).flatten();
        indexes.filter_map(|index| Some(index.get("IndexName")?.as_str()?.to_owned())).collect()
    }

    /// What Lambda itself needs to run a function: its log group, and the queue that its poller reads.
    pub fn of_lambda(&self, function: &str) -> BTreeSet<Grant> {
        let mut needed = BTreeSet::new();
        let Some(properties) = self.properties(function) else { return needed };
        let logs = properties.get("LoggingConfig").and_then(|it| it.get("LogGroup")).map(named).unwrap_or_default();
        for action in ["logs:CreateLogStream", "logs:PutLogEvents"] {
            needed.extend(logs.iter().map(|group| (action.to_owned(), group.clone())));
        }
        let events = properties.get("Events").and_then(Value::as_mapping).into_iter().flatten();
        for (_, event) in events.filter(|(_, event)| event.get("Type").and_then(Value::as_str) == Some("SQS")) {
            let queues = event.get("Properties").and_then(|it| it.get("Queue")).map(named).unwrap_or_default();
            for action in ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"] {
                needed.extend(queues.iter().map(|queue| (action.to_owned(), queue.clone())));
            }
        }
        needed
    }

    /// What a function's role permits, and what of it this cannot read.
    pub fn granted(&self, function: &str) -> (BTreeSet<Grant>, Vec<String>) {
        let mut findings = Vec::new();
        let properties = self.properties(function);
        let role = properties.and_then(|it| it.get("Role")).map(named).unwrap_or_default().pop().unwrap_or_default();
        if properties.is_some_and(|it| it.get("Policies").is_some()) {
            findings.push(format!("{function} has Policies beside its role"));
        }
        let Some(properties) = self.properties(&role) else {
            findings.push(format!("{function} has no role of its own in {TEMPLATE}"));
            return (BTreeSet::new(), findings);
        };
        if properties.get("ManagedPolicyArns").is_some() {
            findings.push(format!("{role} takes managed policies, which permit what nobody reads here"));
        }
        let trusted =
            properties.get("AssumeRolePolicyDocument").map(|it| yaml_serde::to_string(it).unwrap_or_default());
        if trusted.is_none_or(|text| text.matches("Service:").count() != 1 || !text.contains("lambda.amazonaws.com")) {
            findings.push(format!("{role} is for others than Lambda, or for nobody"));
        }
        let mut granted = BTreeSet::new();
        for policy in properties.get("Policies").and_then(Value::as_sequence).into_iter().flatten() {
            let statements = policy.get("PolicyDocument").and_then(|it| it.get("Statement"));
            for statement in statements.map(branches).unwrap_or_default() {
                match grants(statement) {
                    Ok(grants) => granted.extend(grants),
                    Err(why) => findings.push(format!("{role}: {why}")),
                }
            }
        }
        (granted, findings)
    }
}

/// Every action on every resource of a statement.
fn grants(statement: &Value) -> Result<Vec<Grant>, String> {
    let keys: BTreeSet<_> = statement.as_mapping().into_iter().flatten().filter_map(|(key, _)| key.as_str()).collect();
    if keys != BTreeSet::from(["Effect", "Action", "Resource"]) {
        return Err(format!("a statement has {keys:?}; only Effect, Action and Resource are understood"));
    }
    if statement.get("Effect").and_then(Value::as_str) != Some("Allow") {
        return Err("a statement does not allow".to_owned());
    }
    let of = |key| statement.get(key).map(named).unwrap_or_default();
    let (actions, resources) = (of("Action"), of("Resource"));
    Ok(actions.iter().flat_map(|action| resources.iter().map(|it| (action.clone(), it.clone()))).collect())
}

/// The members of a list, those of both branches of an `!If` among them.
fn branches(value: &Value) -> Vec<&Value> {
    match value {
        Value::Sequence(members) => members.iter().flat_map(branches).collect(),
        Value::Tagged(tagged) if tagged.tag == "If" => {
            tagged.value.as_sequence().into_iter().flatten().skip(1).flat_map(branches).collect()
        }
        Value::Tagged(tagged) if tagged.tag == "Ref" && tagged.value.as_str() == Some("AWS::NoValue") => Vec::new(),
        other => vec![other],
    }
}

/// What a value names: a resource by its logical id, with what follows its ARN (`Bodies/*`); a parameter of SSM by its
/// name; anything else as it is written.
pub fn named(value: &Value) -> Vec<String> {
    branches(value).into_iter().filter_map(name).filter(|name| !name.is_empty()).collect()
}

fn name(value: &Value) -> Option<String> {
    const PARAMETER: &str = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter";
    let Value::Tagged(tagged) = value else { return value.as_str().map(str::to_owned) };
    let text = tagged.value.as_str()?;
    match tagged.tag.to_string().as_str() {
        "!GetAtt" => Some(text.strip_suffix(".Arn").unwrap_or(text).to_owned()),
        "!Sub" => match text.strip_prefix(PARAMETER) {
            Some(parameter) => Some(parameter.to_owned()),
            None => match text.strip_prefix("${").and_then(|rest| rest.split_once(".Arn}")) {
                Some((id, rest)) => Some(format!("{id}{rest}")),
                None => Some(text.to_owned()),
            },
        },
        _ => Some(text.to_owned()),
    }
}
