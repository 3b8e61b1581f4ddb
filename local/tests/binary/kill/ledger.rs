//! Whether the books balance: what was acknowledged against what was done, and what was to be said against what
//! GitHub shows.

use std::collections::HashMap;

/// One thing that is said about a context: its state and its description.
pub type Step = (String, String);

/// A delivery, what was answered to it, and what became of it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The event's id.
    pub event: String,
    /// Its commit, which no other delivery is about.
    pub sha: String,
    /// Whether its 202 was read.
    pub acknowledged: bool,
    /// The event's state as the API shows it; none when it knows of no such event.
    pub state: Option<String>,
    /// How its statuses ended, by the API: context and outcome.
    pub outcomes: Vec<(String, String)>,
    /// What is to be said, by context, oldest first. All but the last of a context may be left out.
    pub to_say: HashMap<String, Vec<Step>>,
}

/// A status that stands at GitHub.
#[derive(Debug, Clone)]
pub struct Told {
    pub sha: String,
    pub context: String,
    pub step: Step,
}

/// Everything that does not balance, one line for each; `told` is oldest first.
pub fn audit(entries: &[Entry], told: &[Told]) -> Vec<String> {
    let mut shown: HashMap<(&str, &str), Vec<&Step>> = HashMap::new();
    for one in told {
        shown.entry((&one.sha, &one.context)).or_default().push(&one.step);
    }
    let mut wrong = Vec::new();
    for entry in entries {
        let Entry { event, sha, .. } = entry;
        let mut complain = |what: String| wrong.push(format!("{event} ({}): {what}", &sha[..8]));
        match entry.state.as_deref() {
            Some("processed") => {}
            Some(state) => complain(format!("is {state}, not processed")),
            None if entry.acknowledged => complain("was acknowledged and is lost".to_owned()),
            // Nobody was promised anything, and nothing was done.
            None => continue,
        }
        for (context, outcome) in &entry.outcomes {
            if !["written", "superseded", "unchanged"].contains(&outcome.as_str()) {
                complain(format!("{context} is {outcome}"));
            }
        }
        for (context, steps) in &entry.to_say {
            let says = shown.remove(&(sha.as_str(), context.as_str())).unwrap_or_default();
            if says.last() != steps.last().as_ref() {
                complain(format!("{context} shows {:?} instead of {:?}", says.last(), steps.last()));
            }
            if let Some(twice) =
                says.iter().enumerate().find_map(|(at, step)| says[..at].contains(step).then_some(step))
            {
                complain(format!("{context} says {twice:?} twice"));
            } else if !is_part_of(&says, steps) {
                complain(format!("{context} says {says:?}, which is not in order of {steps:?}"));
            }
        }
    }
    let mut nobodys: Vec<_> = shown.into_iter().collect();
    nobodys.sort_unstable();
    wrong.extend(
        nobodys.into_iter().map(|((sha, context), says)| format!("nobody asked for {context} on {sha}: {says:?}")),
    );
    wrong
}

/// Whether `says` is `steps` with some of them left out.
fn is_part_of(says: &[&Step], steps: &[Step]) -> bool {
    let mut left = steps.iter();
    says.iter().all(|said| left.any(|step| step == *said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(text: &str) -> Step {
        (text.to_owned(), String::new())
    }

    fn entry() -> Entry {
        Entry {
            event: "7-guid".to_owned(),
            sha: "a".repeat(40),
            acknowledged: true,
            state: Some("processed".to_owned()),
            outcomes: vec![("ci".to_owned(), "superseded".to_owned()), ("ci".to_owned(), "written".to_owned())],
            to_say: HashMap::from([("ci".to_owned(), vec![step("pending"), step("success")])]),
        }
    }

    fn told(steps: &[&str]) -> Vec<Told> {
        let one = |text: &&str| Told { sha: "a".repeat(40), context: "ci".to_owned(), step: step(text) };
        steps.iter().map(one).collect()
    }

    #[test]
    fn books_that_balance() {
        assert!(audit(&[], &[]).is_empty());
        assert!(audit(&[entry()], &told(&["pending", "success"])).is_empty());
        assert!(audit(&[entry()], &told(&["success"])).is_empty(), "what was overtaken need not be said");
        let unknown = Entry { acknowledged: false, state: None, ..entry() };
        assert!(audit(&[unknown], &[]).is_empty(), "nothing was promised and nothing was done");
    }

    #[test]
    fn every_kind_of_imbalance_is_found() {
        let with = |change: fn(&mut Entry)| {
            let mut entry = entry();
            change(&mut entry);
            entry
        };
        let both = told(&["pending", "success"]);
        let elsewhere = vec![Told { context: "other".to_owned(), ..both[0].clone() }];
        let table = [
            (with(|entry| entry.state = None), both.clone(), "was acknowledged and is lost"),
            (with(|entry| entry.state = Some("unprocessed".into())), both.clone(), "is unprocessed"),
            (with(|entry| entry.outcomes[0].1 = "waiting".into()), both.clone(), "ci is waiting"),
            (with(|entry| entry.outcomes[0].1 = "refused".into()), both.clone(), "ci is refused"),
            (entry(), vec![], "shows None"),
            (entry(), told(&["pending"]), "shows Some((\"pending\""),
            (entry(), told(&["success", "pending"]), "shows Some((\"pending\""),
            (entry(), told(&["pending", "success", "success"]), "says (\"success\", \"\") twice"),
            (entry(), told(&["pending", "success", "pending", "success"]), "twice"),
            (entry(), told(&["failure", "success"]), "not in order"),
            (with(|entry| entry.to_say.clear()), both.clone(), "nobody asked for ci"),
            (entry(), [both, elsewhere].concat(), "nobody asked for other"),
            (
                with(|entry| (entry.acknowledged, entry.state) = (false, None)),
                told(&["pending"]),
                "nobody asked for ci",
            ),
            (
                with(|entry| (entry.acknowledged, entry.state) = (false, Some("processing".into()))),
                vec![],
                "processing",
            ),
        ];
        for (entry, told, words) in table {
            let wrong = audit(&[entry], &told);
            assert!(wrong.iter().any(|line| line.contains(words)), "{words:?} is not in {wrong:?}");
        }
    }
}
