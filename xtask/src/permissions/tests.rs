use super::*;

/// This very tree, with one text changed.
fn changed(path: &str, from: &str, to: &str) -> Tree {
    let mut tree = Tree::of_repository().unwrap();
    let text = tree.text(path).unwrap_or_else(|| panic!("{path}")).to_owned();
    assert!(text.contains(from), "{path} holds {from}");
    tree.0.insert(path.to_owned(), text.replacen(from, to, 1));
    tree
}

fn findings(path: &str, from: &str, to: &str) -> Vec<String> {
    roles_are_exact(&changed(path, from, to))
}

/// The lines of every role, by their place in the template.
fn lines_of_roles(text: &str) -> Vec<(usize, String)> {
    let mut inside = false;
    let line = |(place, line): (usize, &str)| {
        if line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(':') {
            inside = line.ends_with("Role:");
        }
        inside.then(|| (place, line.to_owned()))
    };
    text.lines().enumerate().filter_map(line).collect()
}

#[test]
fn every_action_and_every_resource_that_is_changed_is_found() {
    let tree = Tree::of_repository().unwrap();
    // Alarms and dashboard say nothing of roles, and are half of what would be read each time.
    let text = tree.text(TEMPLATE).unwrap().split("\n  # Alarms.").next().unwrap().to_owned();
    let (needed, _) = needed(&tree, &Template::of(&tree).unwrap()).unwrap();
    let mut tried = 0;
    for (place, line) in lines_of_roles(&text) {
        let mut mutants = Vec::new();
        if let Some((before, actions)) = line.split_once("Action: ").filter(|(_, actions)| *actions != "sts:AssumeRole")
        {
            let actions: Vec<&str> = actions.trim_matches(['[', ']']).split(", ").collect();
            // One less, another one, one more, all of them.
            for action in &actions {
                let others: Vec<&str> = actions.iter().filter(|it| *it != action).copied().collect();
                mutants.push(format!("{before}Action: [{}]", others.join(", ")));
                mutants.push(line.replace(action, "dynamodb:Scan"));
            }
            mutants.push(format!("{before}Action: [{}, dynamodb:DeleteTable]", actions.join(", ")));
            mutants.push(format!("{before}Action: \"*\""));
            mutants.push(format!("{before}NotAction: {}", actions[0]));
        }
        let value = !line.trim_start().starts_with("- !If") && !line.contains("AWS::NoValue");
        if let Some((before, _)) = line.split_once('!').filter(|_| value) {
            mutants.push(format!("{before}!GetAtt Alarms.Arn"));
            mutants.extend(line.contains("!GetAtt").then(|| line.replace(".Arn", ".QueueName")));
            mutants.push(format!("{before}\"*\""));
        }
        for mutant in mutants {
            let mut lines: Vec<&str> = text.lines().collect();
            lines[place] = &mutant;
            let template = Template::of(&Tree::from([(TEMPLATE, lines.join("\n").as_str())])).unwrap();
            assert!(!against(&template, &needed).is_empty(), "line {}: {mutant}", place + 1);
            tried += 1;
        }
    }
    assert!(tried > 100, "only {tried} mutants: the template is not read as it is written");
}

#[test]
fn what_the_code_asks_for_is_demanded() {
    let (sqs, table, pause) = ("shared/aws/src/sqs.rs", "shared/store/src/dynamodb.rs", "shared/store/src/pause.rs");
    for (path, from, to, words) in [
        // An operation that nobody has permitted, in the adapter itself and behind it.
        (
            pause,
            "self.get(&",
            "self.client.delete_item().table_name(&self.table).send().await?.get(&",
            "does not let status dynamodb:DeleteItem on Table",
        ),
        (
            table,
            "self.client.get_item()",
            "self.client.batch_get_item()",
            "does not let status dynamodb:BatchGetItem on Table",
        ),
        // One that is not called any more.
        (table, ".put_item()", ".get_item()", "lets fanout dynamodb:PutItem on Table, which no port"),
        // One that nobody knows.
        ("shared/aws/src/s3.rs", "put_object()", "copy_object()", "ingest: Bucket calls copy_object: nobody has said"),
        // Another resource, in the adapter and in the main.
        (
            sqs,
            ".queue_url(&self.dead_letters)",
            ".queue_url(&self.queue)",
            "does not let status sqs:SendMessage on StatusQueue",
        ),
        (
            "functions/api/src/main.rs",
            "Statuses::new(&config, settings.statuses_queue_url)",
            "Statuses::new(&config, settings.table)",
            "does not let api sqs:SendMessage on Table",
        ),
        (
            "functions/fanout/src/settings.rs",
            "\"HOOKYARD_DEAD_LETTER_QUEUE_URL\"",
            "\"HOOKYARD_QUEUE_URL\"",
            "lets fanout sqs:SendMessage on FanoutDeadLetters",
        ),
        (
            TEMPLATE,
            "HOOKYARD_TOPIC_ARN: !Ref Events",
            "HOOKYARD_TOPIC_ARN: !Ref Alarms",
            "does not let ingest sns:Publish on Alarms",
        ),
        (TEMPLATE, "HOOKYARD_TOPIC_ARN: !Ref Events", "HOOKYARD_TOPIC: !Ref Events", "no setting of the function"),
        // A port that is given up, and one that is new.
        (
            "functions/ingest/src/lib.rs",
            "Arc<dyn BodyWriter>",
            "Arc<Bucket>",
            "lets ingest s3:PutObject on Bodies/*, which no port",
        ),
        (
            "functions/ingest/src/lib.rs",
            "Arc<dyn BodyWriter>",
            "Arc<dyn BodyReader>",
            "does not let ingest s3:GetObject on Bodies/*",
        ),
        // A call behind an expression whose type nobody can tell.
        (table, ".put_item()", ".thing().client_of().put_item()", "dynamodb:PutItem on Table, which no port"),
    ] {
        let found = findings(path, from, to);
        assert!(found.iter().any(|finding| finding.contains(words)), "{path}: {from} -> {to}: {found:#?}");
    }
}

#[test]
fn roles_have_one_form() {
    for (from, to) in [
        (
            "      Role: !GetAtt ApiRole.Arn\n",
            "      Role: !GetAtt ApiRole.Arn\n      Policies: [AmazonS3FullAccess]\n",
        ),
        ("      Role: !GetAtt ApiRole.Arn\n", ""),
        ("      Role: !GetAtt ApiRole.Arn\n", "      Role: !GetAtt IngestRole.Arn\n"),
        (
            "      Policies:\n",
            "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]\n      Policies:\n",
        ),
        ("lambda.amazonaws.com", "ec2.amazonaws.com"),
        ("Type: AWS::SQS::QueuePolicy", "Type: AWS::IAM::ManagedPolicy"),
        (
            "              - Effect: Allow\n                Action: sns:Publish",
            "              - Effect: Deny\n                Action: sns:Publish",
        ),
        (
            "                Action: sns:Publish\n",
            "                Action: sns:Publish\n                Condition: {}\n",
        ),
    ] {
        assert!(!findings(TEMPLATE, from, to).is_empty(), "{from} -> {to}");
    }
}

#[test]
fn a_star_without_a_reason_is_found() {
    let reason = "              # A bucket's objects have no other form than a star.\n";
    assert_eq!(stars_are_explained(&changed(TEMPLATE, reason, "")).len(), 1);
    let (bare, star) = ("Resource: !GetAtt Table.Arn", "Resource: [!GetAtt Table.Arn, \"arn:aws:dynamodb:*\"]");
    assert_eq!(stars_are_explained(&changed(TEMPLATE, bare, star)).len(), 1);
    assert_eq!(stars_are_explained(&Tree::of_repository().unwrap()), [""; 0]);
}

#[test]
fn calls_are_followed_by_type() {
    let code = |body: &str| {
        let text = format!(
            "pub struct Shop {{ client: Client, name: String, source: Box<dyn Source>, other: Other }}
             struct Other {{ client: aws_sdk_s3::Client }}
             impl Shop {{ {body}
                 async fn deep(&self) {{ self.client.get_item().table_name(&self.name).send().await }} }}
             impl Source for Other {{ async fn value(&self) {{ self.client.put_object().send().await }} }}
             impl Other {{ async fn get(&self, key: &str) {{ self.client.get_object().send().await }}
                           fn odd() {{ let client = Client::new(); client.head_object() }} }}
             fn free(shop: &Shop) {{ shop.deep() }}
             #[cfg(test)] mod tests {{ fn start() {{ client.delete_item() }} }}"
        );
        let code = Code::of([("a.rs", text.as_str())].into_iter()).unwrap();
        let reached = code.reach("Shop", ["start".to_owned()]);
        reached.calls.into_iter().map(|call| call.operation).collect::<Vec<_>>().join(" ")
    };
    for (body, operations) in [
        ("fn start(&self) { }", ""),
        ("fn start(&self) { self.deep() }", "get_item"),
        ("fn start(&self) { free(self) }", "get_item"),
        ("fn start(&self) { Self::deep(self) }", "get_item"),
        ("fn start(&self) { tokio::join!(self.deep(), Other::odd()) }", "get_item head_object"),
        ("fn start(&self) { self.source.value() }", "put_object"),
        ("fn start(&self) { self.other.get(1) }", "get_object"),
        ("fn start(&self) { let it = self.other; it.get(1) }", "get_object"),
        ("fn start(&self) { let map: HashMap = self.map(); map.get(1) }", ""),
        ("fn start(&self) { self.map().get(1) }", ""),
        ("async fn start(&self) { unknown().get(1).await }", "get_object"),
        ("async fn start(&self) { unknown().get().await }", ""),
        ("fn start(&self) { (0..9).map(|_| async { self.deep().await }) }", "get_item"),
        ("fn start(&self) { let it = Arc::new(Self::new()); it.deep() }", "get_item"),
    ] {
        assert_eq!(code(body), operations, "{body}");
    }
}
