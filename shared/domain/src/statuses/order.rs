//! Which status counts: the one table that decides what happens to a status when its turn comes.
//!
//! Within a context, statuses are ordered by run (receipts, which are UUID v7), then by acceptance. With the API
//! key there is no run, and acceptance alone counts.

use super::message::StatusMessage;
use super::{Head, Written};

/// What to do with a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Write it.
    Write,
    /// It stands at GitHub already under this id (or was only recorded): a copy out of the queue.
    Stands(Option<u64>),
    /// A newer one was written. The text says which.
    Superseded(String),
    /// GitHub shows exactly this already.
    Unchanged,
}

/// Decides about `candidate`, given the head of its context, after any intent has been settled.
/// `sends` is whether a write would reach GitHub; without a token the same rules decide what is recorded.
pub fn decide(head: &Head, candidate: &StatusMessage, sends: bool) -> Decision {
    let Some(last) = &head.last else {
        return Decision::Write;
    };
    if last.id == candidate.id {
        return Decision::Stands(last.github_id);
    }
    if candidate.run.is_some() && candidate.run < head.newest_run {
        return Decision::Superseded("A newer run of this check has reported already.".to_owned());
    }
    let same_run = last.run.is_some() && last.run == candidate.run;
    let by_key = last.run.is_none() || candidate.run.is_none();
    if (same_run || by_key) && candidate.accepted < last.accepted {
        return Decision::Superseded(format!(
            "A newer one ({}, accepted {}) was there already.",
            last.content.state,
            last.accepted.at.strftime("%H:%M:%S UTC")
        ));
    }
    if !same_run {
        return Decision::Write;
    }
    if !candidate.content.state.is_final() && last.content.state.is_final() && !candidate.reopen {
        return Decision::Superseded(format!(
            "This run had already reported {}; a pending after it needs \"reopen\": true.",
            last.content.state
        ));
    }
    let recorded_only = last.github_id.is_none() && sends;
    if last.content.same_as(&candidate.content) && !recorded_only {
        return Decision::Unchanged;
    }
    Decision::Write
}

/// What the head says once `message` is written.
pub fn as_written(message: &StatusMessage, github_id: Option<u64>) -> Written {
    Written {
        id: message.id.clone(),
        run: message.run,
        accepted: message.accepted,
        content: message.content.clone(),
        github_id,
    }
}

/// Whether `candidate`, which would be written, may be skipped because the one behind it in its context makes it
/// pointless (used while the credential is paused): it would be written after it, it would be written just the
/// same without it, and the head would end up the same.
pub fn may_skip(head: &Head, candidate: &StatusMessage, next: &StatusMessage) -> bool {
    let after = head.with_written(as_written(candidate, None));
    let next_written = || as_written(next, None);
    decide(&after, next, true) == Decision::Write
        && decide(head, next, true) == Decision::Write
        && after.with_written(next_written()) == head.with_written(next_written())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::ids::{ReceiptId, Repository, Sha, StatusId};
    use crate::statuses::{Accepted, Content, State, Via};

    /// run 0 = by key.
    fn status(id: u32, run: u128, at: i64, state: State) -> StatusMessage {
        StatusMessage {
            id: StatusId::parse(&format!("s{id}")).unwrap(),
            repository: Repository::parse("o/r").unwrap(),
            sha: Sha::parse(&"a".repeat(40)).unwrap(),
            content: Content { context: "ci".into(), state, description: Some(format!("d{id}")), target_url: None },
            accepted: Accepted { at: Timestamp::from_second(at).unwrap(), index: 0 },
            reopen: false,
            via: if run == 0 { Via::Key } else { Via::Token },
            run: (run != 0).then(|| ReceiptId(Uuid::from_u128(run))),
            event: None,
            trace: None,
        }
    }

    fn head(written: &[StatusMessage]) -> Head {
        written
            .iter()
            .enumerate()
            .fold(Head::default(), |head, (n, s)| head.with_written(as_written(s, Some(n as u64 + 1))))
    }

    fn word(decision: &Decision) -> &'static str {
        match decision {
            Decision::Write => "write",
            Decision::Stands(_) => "stands",
            Decision::Superseded(_) => "superseded",
            Decision::Unchanged => "unchanged",
        }
    }

    use State::{Error, Failure, Pending, Success};

    #[test]
    fn the_table() {
        // (written before: run, at, state), (candidate: run, at, state), expected; run 0 = by key
        type Row = (&'static [(u128, i64, State)], (u128, i64, State), &'static str);
        let table: &[Row] = &[
            (&[], (1, 10, Pending), "write"),
            (&[], (0, 10, Success), "write"),
            // one run: acceptance order
            (&[(1, 10, Pending)], (1, 20, Success), "write"),
            (&[(1, 20, Success)], (1, 10, Failure), "superseded"),
            (&[(1, 20, Pending)], (1, 10, Success), "superseded"),
            (&[(1, 10, Pending)], (1, 10, Success), "write"),
            // one run: a pending never follows a result
            (&[(1, 10, Success)], (1, 20, Pending), "superseded"),
            (&[(1, 10, Failure)], (1, 20, Pending), "superseded"),
            (&[(1, 10, Error)], (1, 20, Pending), "superseded"),
            (&[(1, 10, Success)], (1, 20, Failure), "write"),
            (&[(1, 10, Pending)], (1, 20, Pending), "write"),
            // runs: the newer opens the context again, the older is late whatever its time
            (&[(1, 10, Success)], (2, 20, Pending), "write"),
            (&[(1, 30, Success)], (2, 20, Pending), "write"),
            (&[(2, 10, Pending)], (1, 20, Success), "superseded"),
            // a key has no run: acceptance alone, either way
            (&[(0, 10, Success)], (0, 20, Pending), "write"),
            (&[(0, 20, Success)], (0, 10, Pending), "superseded"),
            (&[(1, 10, Success)], (0, 20, Pending), "write"),
            (&[(1, 20, Success)], (0, 10, Pending), "superseded"),
            (&[(0, 10, Success)], (1, 20, Pending), "write"),
            (&[(0, 20, Success)], (1, 10, Pending), "superseded"),
            (&[(0, 20, Success)], (2, 10, Pending), "superseded"),
            // the newest run is remembered behind a key's write
            (&[(2, 10, Pending), (0, 20, Success)], (1, 30, Failure), "superseded"),
            (&[(2, 10, Success), (0, 20, Success)], (2, 30, Pending), "write"),
        ];
        for (before, (run, at, state), expected) in table {
            let before: Vec<_> =
                before.iter().enumerate().map(|(n, (run, at, state))| status(n as u32, *run, *at, *state)).collect();
            let got = decide(&head(&before), &status(99, *run, *at, *state), true);
            assert_eq!(word(&got), *expected, "{before:?} then run {run} at {at} {state}");
        }
    }

    #[test]
    fn reopen_lets_a_pending_follow_a_result() {
        let candidate = StatusMessage { reopen: true, ..status(2, 1, 20, Pending) };
        assert_eq!(decide(&head(&[status(1, 1, 10, Success)]), &candidate, true), Decision::Write);
        let late = StatusMessage { reopen: true, ..status(2, 1, 5, Pending) };
        assert_eq!(word(&decide(&head(&[status(1, 1, 10, Success)]), &late, true)), "superseded", "but not the past");
    }

    #[test]
    fn equal_content_of_the_same_run_is_unchanged() {
        let first = status(1, 1, 10, Success);
        let mut same = StatusMessage { content: first.content.clone(), ..status(2, 1, 20, Success) };
        same.content.context = "CI".into();
        assert_eq!(decide(&head(std::slice::from_ref(&first)), &same, true), Decision::Unchanged);
        let other_run = StatusMessage { run: status(0, 2, 0, Success).run, ..same.clone() };
        assert_eq!(decide(&head(std::slice::from_ref(&first)), &other_run, true), Decision::Write);
        let recorded = Head::default().with_written(as_written(&first, None));
        assert_eq!(decide(&recorded, &same, false), Decision::Unchanged);
        assert_eq!(decide(&recorded, &same, true), Decision::Write, "a token was set meanwhile: GitHub never had it");
    }

    #[test]
    fn a_copy_of_what_was_written_last_stands() {
        let first = status(1, 1, 10, Success);
        assert_eq!(decide(&head(std::slice::from_ref(&first)), &first, true), Decision::Stands(Some(1)));
    }

    #[test]
    fn a_place_in_the_list_breaks_a_tie() {
        let mut second = status(1, 1, 10, Success);
        second.accepted.index = 1;
        assert_eq!(word(&decide(&head(&[second]), &status(2, 1, 10, Failure), true)), "superseded");
    }

    #[test]
    fn skipping_never_changes_what_is_written_in_the_end() {
        let queue = [status(1, 1, 10, Success), status(2, 1, 20, Pending)];
        assert!(!may_skip(&Head::default(), &queue[0], &queue[1]), "the pending would be superseded by it");
        let queue = [status(1, 1, 10, Pending), status(2, 1, 20, Success)];
        assert!(may_skip(&Head::default(), &queue[0], &queue[1]));
        let reopened = StatusMessage { reopen: true, ..status(2, 1, 20, Pending) };
        let queue = [reopened, status(3, 1, 30, Pending)];
        assert!(
            !may_skip(&head(&[status(1, 1, 10, Success)]), &queue[0], &queue[1]),
            "the last is written only because the one before reopened"
        );
    }

    fn any_status() -> impl Strategy<Value = StatusMessage> {
        (0..4u128, 0..6i64, 0..4usize, any::<bool>()).prop_map(|(run, at, state, reopen)| {
            let state = [Pending, Success, Failure, Error][state];
            StatusMessage { reopen, ..status(0, run, at, state) }
        })
    }

    /// Runs a list through the table, in order; returns what was written, oldest first.
    fn play(list: &[StatusMessage]) -> Vec<StatusMessage> {
        let (mut current, mut written) = (Head::default(), Vec::new());
        for s in list {
            if decide(&current, s, true) == Decision::Write {
                current = current.with_written(as_written(s, Some(written.len() as u64 + 1)));
                written.push(s.clone());
            }
        }
        written
    }

    proptest! {
        #[test]
        fn whatever_the_order_of_arrival(list in prop::collection::vec(any_status(), 1..8).prop_map(|mut list| {
            for (n, s) in list.iter_mut().enumerate() {
                s.id = StatusId::parse(&format!("s{n}")).unwrap();
                s.content.description = Some(format!("d{n}"));
            }
            list
        }).prop_shuffle()) {
            let written = play(&list);
            // Runs never go back.
            let runs: Vec<_> = written.iter().filter_map(|s| s.run).collect();
            prop_assert!(runs.is_sorted(), "{runs:?}");
            for pair in written.windows(2) {
                let (a, b) = (&pair[0], &pair[1]);
                if a.run == b.run || a.run.is_none() || b.run.is_none() {
                    prop_assert!(a.accepted <= b.accepted, "time goes back within a run or around a key");
                }
                if a.run.is_some() && a.run == b.run && a.content.state.is_final() {
                    prop_assert!(b.content.state.is_final() || b.reopen, "a pending after a result");
                }
            }
            // Everything twice writes nothing new: each copy stands or is superseded by what came after it.
            let twice: Vec<_> = list.iter().flat_map(|s| [s.clone(), s.clone()]).collect();
            prop_assert_eq!(play(&twice).len(), written.len());
        }

        #[test]
        fn among_results_of_one_run_the_last_accepted_wins_in_every_permutation(
            order in Just((0..5i64).collect::<Vec<_>>()).prop_shuffle(), states in prop::collection::vec(1..4usize, 5),
        ) {
            let list: Vec<_> = order.iter().map(|at| {
                let state = [Pending, Success, Failure, Error][states[*at as usize]];
                status(*at as u32, 1, *at, state)
            }).collect();
            prop_assert_eq!(play(&list).last().unwrap().accepted.at.as_second(), 4);
        }

        #[test]
        fn what_may_be_skipped_changes_nothing(list in prop::collection::vec(any_status(), 2..6)) {
            let mut list = list;
            for (n, s) in list.iter_mut().enumerate() {
                s.id = StatusId::parse(&format!("s{n}")).unwrap();
                s.content.description = Some(format!("d{n}"));
            }
            let full = play(&list).last().map(|s| s.id.clone());
            if may_skip(&Head::default(), &list[0], &list[1]) {
                prop_assert_eq!(play(&list[1..]).last().map(|s| s.id.clone()), full);
            }
        }
    }
}
