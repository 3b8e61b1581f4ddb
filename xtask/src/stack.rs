//! Rules about `template.yaml`: it agrees with the code that it deploys.

use std::collections::BTreeSet;

use crate::Tree;

const TEMPLATE: &str = "template.yaml";

/// Each folder in `functions/` has a resource `<Name>Function` that builds the binary of that name.
pub fn functions_have_resources(tree: &Tree) -> Vec<String> {
    let functions = tree.functions();
    if functions.is_empty() {
        return vec!["there are no functions".to_owned()];
    }
    let built = |name: &str| {
        resource(tree, &logical_id(name)).is_some_and(|block| has_line(&block, &format!("Binary: {name}")))
    };
    let missing = functions.into_iter().filter(|name| !built(name));
    missing.map(|name| format!("{TEMPLATE} has no {} that builds {name}", logical_id(name))).collect()
}

/// Each function's environment in the template names exactly what its `settings.rs` reads. What a function may do
/// without is there as well: otherwise nobody could set it.
pub fn settings_are_in_the_template(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for name in tree.functions() {
        let path = format!("functions/{name}/src/settings.rs");
        let read: BTreeSet<&str> = tree.text(&path).map(names_read).unwrap_or_default();
        let block = resource(tree, &logical_id(name)).unwrap_or_default();
        let given: BTreeSet<&str> = block.iter().filter_map(|line| variable(line)).collect();
        findings.extend(
            read.difference(&given).map(|setting| format!("{path} reads {setting}, which {TEMPLATE} does not set")),
        );
        findings.extend(
            given.difference(&read).map(|setting| format!("{TEMPLATE} sets {setting}, which {path} does not read")),
        );
    }
    findings
}

/// The table in the template has the keys, the indexes with what they hold, and the expiry of `shared/store`, and the
/// API's role every index.
pub fn table_matches_schema(tree: &Tree) -> Vec<String> {
    let (Some(keys), Some(schema)) = (tree.text("shared/store/src/keys.rs"), tree.text("shared/store/src/schema.rs"))
    else {
        return vec!["shared/store/src/keys.rs or schema.rs is missing".to_owned()];
    };
    let value = |name: &str| {
        let line = keys.lines().find(|line| line.contains(&format!("const {name}: &str")));
        line.and_then(|line| line.split('"').nth(1)).unwrap_or("an unknown name")
    };
    let indexes = triples(schema);
    if indexes.is_empty() {
        return vec!["shared/store/src/schema.rs lists no INDEXES".to_owned()];
    }
    let listed = listed(schema);
    if listed.is_empty() {
        return vec!["shared/store/src/schema.rs lists no attributes as LISTED".to_owned()];
    }
    let table = unfolded(&resource(tree, "Table").unwrap_or_default().join("\n"));
    let role = resource(tree, "ApiRole").unwrap_or_default().join("\n");
    let key = |name: &str, kind: &str| format!("{{ AttributeName: {}, KeyType: {kind} }}", value(name));
    let mut wanted = vec![
        format!("AttributeName: {}\n        Enabled: true", value("EXPIRES_AT")),
        format!("      KeySchema:\n        - {}\n        - {}\n", key("PK", "HASH"), key("SK", "RANGE")),
    ];
    for [index, pk, sk] in &indexes {
        let (hash, range) = (key(pk, "HASH"), key(sk, "RANGE"));
        let name = value(index);
        wanted.push(format!(
            "- IndexName: {name}\n          KeySchema:\n            - {hash}\n            - {range}\n          Projection:\n            ProjectionType: INCLUDE\n            NonKeyAttributes: [{listed}]\n"
        ));
        if !role.contains(&format!("/index/{name}\n")) && !role.ends_with(&format!("/index/{name}")) {
            wanted.push(format!("a permission of ApiRole for the index {name}"));
        }
    }
    let mut findings: Vec<_> =
        wanted.iter().filter(|part| !table.contains(*part)).map(|part| format!("{TEMPLATE} lacks {part:?}")).collect();
    if table.matches("IndexName:").count() != indexes.len() {
        findings.push(format!("{TEMPLATE} has another number of indexes than shared/store/src/schema.rs"));
    }
    findings
}

/// No policy names every resource.
pub fn no_permission_for_everything(tree: &Tree) -> Vec<String> {
    let everything = |line: &str| {
        let line = line.trim().trim_start_matches("- ").replace(['"', '\'', '[', ']', ' '], "");
        line == "Resource:*" || line == "Action:*"
    };
    let lines = tree.text(TEMPLATE).unwrap_or_default().lines().enumerate().filter(|(_, line)| everything(line));
    lines.map(|(number, _)| format!("{TEMPLATE}:{} permits everything", number + 1)).collect()
}

/// `ingest` is `IngestFunction`.
pub(crate) fn logical_id(function: &str) -> String {
    let mut letters = function.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).chain("Function".chars()).collect()
}

/// The lines of one resource: from its name, indented by two, to the next line that is indented no more.
fn resource<'a>(tree: &'a Tree, id: &str) -> Option<Vec<&'a str>> {
    let mut lines = tree.text(TEMPLATE)?.lines().skip_while(|line| *line != "Resources:");
    lines.by_ref().find(|line| *line == format!("  {id}:"))?;
    Some(lines.take_while(|line| line.is_empty() || line.starts_with("   ")).collect())
}

fn has_line(block: &[&str], text: &str) -> bool {
    block.iter().any(|line| line.trim() == text)
}

/// `NAME: …` among environment variables, which are indented by ten.
fn variable(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix("          ")?.split_once(':')?;
    is_setting(name).then_some(name)
}

/// The names in quotes that look like a setting, in the code before its tests.
fn names_read(source: &str) -> BTreeSet<&str> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    code.split('"').skip(1).step_by(2).filter(|text| is_setting(text)).collect()
}

pub(crate) fn is_setting(text: &str) -> bool {
    text.contains('_') && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// The `(NAME, PARTITION, SORT)` of `INDEXES`.
fn triples(schema: &str) -> Vec<[&str; 3]> {
    let list = schema.split("const INDEXES").nth(1).and_then(|rest| rest.split_once('=')).map_or("", |(_, list)| list);
    let list = list.split(';').next().unwrap_or_default();
    let inner = list.split('(').skip(1).filter_map(|rest| rest.split(')').next());
    inner.filter_map(|inner| inner.split(',').map(str::trim).collect::<Vec<_>>().try_into().ok()).collect()
}

/// The names in `LISTED`, as the template has them.
fn listed(schema: &str) -> String {
    let list = schema.split("const LISTED").nth(1).and_then(|rest| rest.split_once('=')).map_or("", |(_, list)| list);
    let list = list.split(';').next().unwrap_or_default();
    list.split('"').skip(1).step_by(2).collect::<Vec<_>>().join(", ")
}

/// Lists in brackets on one line, however they are wrapped.
fn unfolded(text: &str) -> String {
    let mut parts = text.split('[');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (list, rest) = part.split_once(']').unwrap_or((part, ""));
        let items: Vec<_> = list.split(',').map(str::trim).collect();
        whole.push_str(&format!("[{}]{rest}", items.join(", ")));
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str = r#"
Parameters:
  TableName:
    Type: String
Resources:
  IngestFunction:
    Type: AWS::Serverless::Function
    Metadata:
      BuildProperties:
        Binary: ingest
    Properties:
      Environment:
        Variables:
          HOOKYARD_TABLE: !Ref Table
          GITHUB_SECRET_PARAMETER: secret

  ApiRole:
    Type: AWS::IAM::Role
      - !Sub ${Table.Arn}/index/by-time
  # The record.
  Table:
    Properties:
      KeySchema:
        - { AttributeName: pk, KeyType: HASH }
        - { AttributeName: sk, KeyType: RANGE }
      GlobalSecondaryIndexes:
        - IndexName: by-time
          KeySchema:
            - { AttributeName: span, KeyType: HASH }
            - { AttributeName: at, KeyType: RANGE }
          Projection:
            ProjectionType: INCLUDE
            NonKeyAttributes: [
              type,
              status
            ]
      TimeToLiveSpecification:
        AttributeName: expires_at
        Enabled: true
Outputs:
"#;
    const SETTINGS: &str = "lookup.required(\"HOOKYARD_TABLE\", \"name of a table\", text);\nlookup.optional(\"GITHUB_SECRET_PARAMETER\");\n#[cfg(test)]\n\"OTHER_NAME\"";
    const KEYS: &str = "const PK: &str = \"pk\";\nconst SK: &str = \"sk\";\nconst AT: &str = \"at\";\nconst SPAN: &str = \"span\";\nconst EXPIRES_AT: &str = \"expires_at\";\npub const BY_TIME: &str = \"by-time\";";
    const SCHEMA: &str = "pub const INDEXES: [(&str, &str, &str); 1] = [(BY_TIME, SPAN, AT)];\npub const LISTED: [&str; 2] = [\"type\", \"status\"];";

    fn tree(template: &str) -> Tree {
        Tree::from([
            (TEMPLATE, template),
            ("functions/ingest/src/settings.rs", SETTINGS),
            ("shared/store/src/keys.rs", KEYS),
            ("shared/store/src/schema.rs", SCHEMA),
        ])
    }

    #[test]
    fn a_stack_that_agrees_passes() {
        for rule in
            [functions_have_resources, settings_are_in_the_template, table_matches_schema, no_permission_for_everything]
        {
            assert_eq!(rule(&tree(STACK)), [""; 0]);
        }
    }

    #[test]
    fn every_disagreement_is_found() {
        type Case = (crate::Rule, &'static str, &'static str);
        let cases: [Case; 13] = [
            (functions_have_resources, "Binary: ingest", "Binary: api"),
            (functions_have_resources, "IngestFunction:", "Ingest:"),
            (settings_are_in_the_template, "HOOKYARD_TABLE: !Ref Table", "HOOKYARD_TABEL: !Ref Table"),
            (settings_are_in_the_template, "          GITHUB_SECRET_PARAMETER: secret\n", ""),
            (table_matches_schema, "expires_at", "ends_at"),
            (table_matches_schema, "AttributeName: sk", "AttributeName: at"),
            (table_matches_schema, "AttributeName: span", "AttributeName: pk"),
            (table_matches_schema, "ProjectionType: INCLUDE", "ProjectionType: KEYS_ONLY"),
            (table_matches_schema, "              type,\n", ""),
            (table_matches_schema, "              status\n", "              status,\n              more\n"),
            (table_matches_schema, "/index/by-time", "/index/by-other"),
            (
                table_matches_schema,
                "        - IndexName: by-time\n",
                "        - IndexName: more\n        - IndexName: by-time\n",
            ),
            (no_permission_for_everything, "      - !Sub ${Table.Arn}/index/by-time\n", "        Resource: \"*\"\n"),
        ];
        for (rule, from, to) in cases {
            assert!(STACK.contains(from), "{from}");
            assert!(!rule(&tree(&STACK.replacen(from, to, 1))).is_empty(), "{from} -> {to}");
        }
    }
}
