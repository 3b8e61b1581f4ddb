use super::*;

use std::collections::BTreeSet;

use domain::statuses::row::StatusOutcome;
use testkit::clock::ManualClock;

use crate::meter::Refusal;

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn emf(namespace: Option<&str>) -> (Emf, Page) {
    let page = Page::default();
    (Emf::to(namespace.map(str::to_owned), Arc::new(ManualClock::default()), Box::new(page.clone())), page)
}

fn lines(page: &Page) -> Vec<Value> {
    let text = String::from_utf8(std::mem::take(&mut *page.0.lock().unwrap())).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn every_fact() -> Vec<Fact> {
    let ms = SignedDuration::from_millis;
    let plain = [Fact::Accepted, Fact::Processed(None), Fact::Processed(Some(ms(120))), Fact::Errored, Fact::Ignored];
    let more = [Fact::Unhandled, Fact::Retried, Fact::Written(ms(900)), Fact::Written(ms(-3))];
    let refused = Refusal::ALL.map(Fact::Refused);
    let statuses = StatusOutcome::ALL.map(Fact::Status);
    plain.into_iter().chain(more).chain(refused).chain(statuses).collect()
}

#[test]
fn one_line_for_a_batch_while_there_is_one_value_of_a_dimension() {
    let (emf, page) = emf(Some("Hookyard/yard"));
    for _ in 0..3 {
        emf.count(Fact::Status(StatusOutcome::Written));
        emf.count(Fact::Written(SignedDuration::from_millis(250)));
    }
    assert_eq!(lines(&page), [Value::Null; 0], "nothing before the batch is over");
    emf.flush();
    insta::assert_json_snapshot!(lines(&page));
    emf.flush();
    assert_eq!(lines(&page), [Value::Null; 0], "nothing is told twice, and nothing is no line");
}

#[test]
fn a_further_value_of_a_dimension_is_a_further_line() {
    let (emf, page) = emf(Some("Hookyard/yard"));
    for outcome in StatusOutcome::ALL {
        emf.count(Fact::Status(outcome));
    }
    emf.flush();
    let told: Vec<_> = lines(&page).iter().map(|line| line["Outcome"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["not_sent", "refused", "superseded", "unchanged", "written"], "a waiting one has not ended");
}

#[test]
fn every_line_is_what_the_specification_asks_for() {
    let (emf, page) = emf(Some("Hookyard/yard"));
    for fact in every_fact() {
        emf.count(fact);
    }
    emf.flush();
    let lines = lines(&page);
    assert!(!lines.is_empty());
    for line in &lines {
        testkit::emf::validate(line).unwrap();
    }
    // And the whole set of names, so that a new one is a decision.
    let mut names = BTreeSet::new();
    for line in &lines {
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            let of = directive["Dimensions"][0].as_array().unwrap().iter().map(|key| {
                let key = key.as_str().unwrap();
                format!("{{{key}={}}}", line[key].as_str().unwrap())
            });
            let of: String = of.collect();
            names.extend(
                directive["Metrics"].as_array().unwrap().iter().map(|m| format!("{}{of}", m["Name"].as_str().unwrap())),
            );
        }
    }
    insta::assert_json_snapshot!(names);
}

#[test]
fn samples_go_out_before_a_line_would_hold_too_many() {
    let (emf, page) = emf(Some("Hookyard/yard"));
    for n in 0..250 {
        emf.count(Fact::Processed(Some(SignedDuration::from_millis(n))));
    }
    emf.flush();
    let lines = lines(&page);
    let samples: Vec<_> = lines.iter().map(|line| line["WebhookToServer"].as_array().unwrap().len()).collect();
    assert_eq!(samples, [100, 100, 50]);
    assert_eq!(lines.iter().map(|line| line["Processed"].as_u64().unwrap()).sum::<u64>(), 250);
}

#[test]
fn without_a_namespace_nothing_is_written() {
    let (emf, page) = emf(None);
    every_fact().into_iter().for_each(|fact| emf.count(fact));
    emf.flush();
    assert_eq!(lines(&page), [Value::Null; 0]);
}

#[test]
fn what_was_counted_survives_a_panic_beside_it() {
    let (emf, page) = emf(Some("Hookyard/yard"));
    emf.count(Fact::Errored);
    let emf = Arc::new(emf);
    let other = emf.clone();
    let died = std::thread::spawn(move || {
        let _held = other.held.lock();
        panic!("with the counts in hand");
    });
    assert!(died.join().is_err());
    emf.count(Fact::Errored);
    emf.flush();
    assert_eq!(lines(&page)[0]["Errored"], 2);
}
