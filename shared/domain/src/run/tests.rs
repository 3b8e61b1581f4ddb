use uuid::Uuid;

use super::*;
use EventStatus::{Errored, Ignored, Processed, Processing, Reprocessing, Unhandled, Unprocessed};

fn t(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn run() -> Run {
    let event = EventId::parse("1-a").unwrap();
    Run::new(event, ReceiptId(Uuid::from_u128(1)), AskedBy::Github, false, t(0))
}

fn ending(outcome: Outcome) -> Ending {
    Ending { outcome, code: None, ms: 5, note: None, statuses: Vec::new(), sha: None, retry_after: None }
}

#[test]
fn every_outcome_has_one_consequence() {
    for outcome in Outcome::ALL {
        let mut run = run();
        run.start_attempt(t(1), Processing);
        run.end_attempt(ending(outcome), t(2), 7);
        assert_eq!(run.lease_until, None, "{outcome:?}");
        let (state, failure) = match outcome {
            Outcome::Taken | Outcome::AnswerUnreadable => (Processed, None),
            Outcome::Denied => (Errored, Some(FailureReason::ServerDenied)),
            Outcome::Rejected => (Errored, Some(FailureReason::ServerRejected)),
            Outcome::Gone => (Errored, Some(FailureReason::ServerGone)),
            Outcome::Moved => (Errored, Some(FailureReason::ServerMoved)),
            _ => (Unprocessed, None),
        };
        assert_eq!((run.state, run.failure), (state, failure), "{outcome:?}");
        assert_eq!(run.next_attempt_at.is_some(), state == Unprocessed, "{outcome:?}");
        assert_eq!(run.ended_at.is_some(), state.is_final(), "{outcome:?}");
        assert_eq!(Outcome::from_word(outcome.as_str()), Some(outcome));
    }
}

#[test]
fn answers_mean_what_the_contract_says() {
    let table = [
        (200, Outcome::Taken),
        (299, Outcome::Taken),
        (301, Outcome::Moved),
        (400, Outcome::Rejected),
        (401, Outcome::Denied),
        (403, Outcome::Denied),
        (404, Outcome::Rejected),
        (408, Outcome::Busy),
        (410, Outcome::Gone),
        (425, Outcome::Busy),
        (429, Outcome::Busy),
        (499, Outcome::Rejected),
        (500, Outcome::Error),
        (599, Outcome::Error),
    ];
    for (code, outcome) in table {
        assert_eq!(Outcome::of_code(code), outcome, "{code}");
    }
}

#[test]
fn the_lease_keeps_others_away_until_it_has_run_out() {
    let mut held = run();
    held.start_attempt(t(0), Processing);
    assert_eq!(held.clone().take_up(t(29), Processing, "m"), TakeUp::NotBefore(t(30)));
    assert_eq!(held.take_up(t(30), Processing, "m"), TakeUp::Go);
    assert_eq!(held.attempts[0].outcome, Some(Outcome::CutOff), "nobody will close it any more");
    assert_eq!(held.last_answer(), None, "and it says nothing about the server");
}

#[test]
fn a_run_that_waits_or_has_ended() {
    let mut waiting = run();
    waiting.defer(t(60));
    assert_eq!(waiting.take_up(t(59), Processing, "m"), TakeUp::NotBefore(t(60)));
    assert_eq!(waiting.take_up(t(60), Processing, "m"), TakeUp::Go);
    for state in [Processed, Ignored, Unhandled, Errored] {
        let mut ended = run();
        ended.finish(state, None, t(1));
        assert_eq!(ended.take_up(t(9), Processing, "m"), TakeUp::Finished, "{}", state.as_str());
    }
}

#[test]
fn five_cut_offs_set_it_aside_until_somebody_redrives_it() {
    let mut run = run();
    for round in 0..i64::from(MAX_CUT_OFFS) - 1 {
        run.start_attempt(t(round * 100), Processing);
        assert_eq!(run.take_up(t(round * 100 + 50), Processing, "first"), TakeUp::Go);
    }
    run.start_attempt(t(900), Processing);
    assert_eq!(run.take_up(t(950), Processing, "first"), TakeUp::TooManyCutOffs);
    assert_eq!((run.state, run.failure), (Errored, Some(FailureReason::Internal)));
    assert_eq!(run.clone().take_up(t(960), Processing, "first"), TakeUp::TooManyCutOffs, "a copy of the same message");
    assert_eq!(run.take_up(t(999), Reprocessing, "redriven"), TakeUp::Go);
    assert_eq!((run.state, run.failure, run.cut_offs), (Reprocessing, None, 0));
    assert_eq!(run.started_at, t(999), "with eight hours of its own");
}

#[test]
fn a_cut_off_between_answers_is_forgiven_only_by_being_rare() {
    let mut run = run();
    run.start_attempt(t(0), Processing);
    run.take_up(t(50), Processing, "m");
    run.start_attempt(t(50), Processing);
    run.end_attempt(ending(Outcome::Error), t(51), 1);
    assert_eq!(run.cut_offs, 1, "a failed answer is no cut-off, and takes none back");
    assert_eq!(run.tries(), 2);
}

#[test]
fn whoever_was_cut_off_has_ever_less_company_until_it_lives_to_see_an_answer() {
    let mut run = run();
    assert_eq!(run.company(), Company::Many);
    let mut now = 0;
    for company in [Company::Few, Company::Nobody, Company::Nobody] {
        run.start_attempt(t(now), Processing);
        now += 50;
        run.take_up(t(now), Processing, "m");
        assert_eq!(run.company(), company, "after {} cut-offs", run.cut_offs);
    }
    run.start_attempt(t(now), Processing);
    assert_eq!(run.company(), Company::Many, "an open attempt says nothing yet");
    run.end_attempt(ending(Outcome::Error), t(now + 1), 1);
    assert_eq!((run.company(), run.cut_offs), (Company::Many, 3));
    now += 100;
    run.start_attempt(t(now), Processing);
    run.take_up(t(now + 50), Processing, "m");
    assert_eq!(run.company(), Company::Nobody, "it has not been forgotten");
}

#[test]
fn what_is_worked_on_keeps_its_state_when_an_older_receipt_turns_up() {
    let mut fresh = run();
    assert_eq!(fresh.working(true), Reprocessing, "not recorded yet: the receipts decide");
    assert_eq!(fresh.working(false), Processing);
    fresh.version = 1;
    assert_eq!(fresh.working(true), Processing);
    fresh.state = Unprocessed;
    assert_eq!(fresh.working(true), Reprocessing);
}
