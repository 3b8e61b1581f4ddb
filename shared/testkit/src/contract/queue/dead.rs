//! The suite of the port of dead letters: what a look tells, and what sending back does, on SQS and on ours alike.
//!
//! Each function takes fresh, empty queues. [`dead_letters_contract`](crate::dead_letters_contract) makes a test of
//! each.

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::dead_letters::{DeadLetter, DeadLetterQueue, Redriven, Which};
use domain::ports::DeadLetters;

/// Hookyard's queues with their dead-letter queues, and the port over them.
#[async_trait]
pub trait DeadLettersUnderTest: Send + Sync {
    /// The port.
    fn port(&self) -> &dyn DeadLetters;
    /// Sends a message to fanout's queue (or, with a group, to that of the statuses), receives it and sets it aside,
    /// as the function would.
    async fn set_aside(&self, body: &str, group: Option<&str>, reason: &str);
    /// The bodies of everything that its consumer would get now from that queue, taken for good.
    async fn take(&self, queue: DeadLetterQueue) -> Vec<String>;
}

const ENVELOPE: &str = r#"{"v":"1","event":"48211900-0b989ba4","type":"push","receipt":"019320aa-0000-7000-8000-000000000001","source":"repository","received_at":"2026-03-02T10:00:00Z","content_type":"application/json","headers":[],"body":"e30="}"#;

async fn list(queues: &dyn DeadLettersUnderTest, queue: DeadLetterQueue) -> Vec<DeadLetter> {
    let page = queues.port().list(queue, 100).await.unwrap();
    assert_eq!(page.count, page.letters.len() as u64, "the count says what there is");
    assert_eq!(queues.port().count(queue).await.unwrap(), page.count, "also without a look");
    page.letters
}

async fn redrive(queues: &dyn DeadLettersUnderTest, queue: DeadLetterQueue, which: Which) -> Redriven {
    queues.port().redrive(queue, &which).await.unwrap()
}

/// A look tells what a message is about and why it is there, and takes nothing away: not from the next look, and not
/// from a redrive right after it.
pub async fn a_look_tells_all_and_takes_nothing(queues: &dyn DeadLettersUnderTest) {
    assert_eq!(list(queues, DeadLetterQueue::Fanout).await, []);
    queues.set_aside(ENVELOPE, None, "cut off").await;
    queues.set_aside("no envelope", None, "unreadable").await;
    let letters = list(queues, DeadLetterQueue::Fanout).await;
    let known = letters.iter().find(|letter| letter.reason.as_deref() == Some("cut off")).unwrap();
    assert_eq!(known.about.event.as_ref().map(ToString::to_string).as_deref(), Some("48211900-0b989ba4"));
    assert_eq!((known.queue, known.tries), (DeadLetterQueue::Fanout, Some(1)));
    let unknown = letters.iter().find(|letter| letter.reason.as_deref() == Some("unreadable")).unwrap();
    assert_eq!(unknown.about.event, None);
    assert_ne!(known.id, unknown.id);

    assert_eq!(list(queues, DeadLetterQueue::Fanout).await, letters, "the same at every look");
    assert_eq!(list(queues, DeadLetterQueue::Statuses).await, [], "of that queue only");
    assert_eq!(redrive(queues, DeadLetterQueue::Fanout, Which::Any(100)).await.ids.len(), 2);
}

/// No more are listed than asked for; all are counted.
pub async fn a_look_keeps_to_its_limit(queues: &dyn DeadLettersUnderTest) {
    for n in 0..12 {
        queues.set_aside(&format!("message {n}"), None, "why").await;
    }
    let page = queues.port().list(DeadLetterQueue::Fanout, 3).await.unwrap();
    assert_eq!((page.letters.len(), page.count), (3, 12));
    let ids: BTreeSet<_> = list(queues, DeadLetterQueue::Fanout).await.into_iter().map(|letter| letter.id).collect();
    assert_eq!(ids.len(), 12, "each once");
}

/// All go back, in portions, as they were sent.
pub async fn all_go_back_in_portions(queues: &dyn DeadLettersUnderTest) {
    for n in 0..5 {
        queues.set_aside(&format!("message {n}"), None, "why").await;
    }
    let first = redrive(queues, DeadLetterQueue::Fanout, Which::Any(3)).await;
    assert_eq!((first.ids.len(), first.missing.len(), first.more), (3, 0, true));
    let second = redrive(queues, DeadLetterQueue::Fanout, Which::Any(100)).await;
    assert_eq!((second.ids.len(), second.more), (2, false));
    assert_eq!(redrive(queues, DeadLetterQueue::Fanout, Which::Any(100)).await, Redriven::default());
    assert_eq!(list(queues, DeadLetterQueue::Fanout).await, []);
    let mut came = queues.take(DeadLetterQueue::Fanout).await;
    came.sort_unstable();
    assert_eq!(came, (0..5).map(|n| format!("message {n}")).collect::<Vec<_>>());
}

/// Only those that were named go back; ids that are not there are named in the answer, and the others stay.
pub async fn chosen_ones_go_back(queues: &dyn DeadLettersUnderTest) {
    for body in ["a", "b", "c"] {
        queues.set_aside(body, None, body).await;
    }
    let letters = list(queues, DeadLetterQueue::Fanout).await;
    let id = |reason: &str| letters.iter().find(|l| l.reason.as_deref() == Some(reason)).unwrap().id.clone();
    let wanted = vec![id("c"), "no such id".to_owned(), id("a")];
    let redriven = redrive(queues, DeadLetterQueue::Fanout, Which::These(wanted)).await;
    assert_eq!(redriven.ids.iter().collect::<BTreeSet<_>>(), BTreeSet::from([&id("a"), &id("c")]));
    assert_eq!((redriven.missing, redriven.more), (vec!["no such id".to_owned()], false));
    let left = list(queues, DeadLetterQueue::Fanout).await;
    assert_eq!(left.iter().map(|letter| &letter.id).collect::<Vec<_>>(), [&id("b")]);
    let mut came = queues.take(DeadLetterQueue::Fanout).await;
    came.sort_unstable();
    assert_eq!(came, ["a", "c"]);
    let again = redrive(queues, DeadLetterQueue::Fanout, Which::These(vec![id("a")])).await;
    assert_eq!(again.missing, [id("a")], "one that went is gone");
}

/// A message that is set aside again is another dead letter.
pub async fn set_aside_again_it_has_another_id(queues: &dyn DeadLettersUnderTest) {
    queues.set_aside("a", None, "first").await;
    let first = list(queues, DeadLetterQueue::Fanout).await.remove(0);
    redrive(queues, DeadLetterQueue::Fanout, Which::Any(100)).await;
    assert_eq!(queues.take(DeadLetterQueue::Fanout).await, ["a"]);
    queues.set_aside("a", None, "second").await;
    let second = list(queues, DeadLetterQueue::Fanout).await.remove(0);
    assert_ne!(second.id, first.id);
}

/// Statuses come back in the order in which they were set aside, although they were sent a moment ago and the queue
/// knows their de-duplication ids.
pub async fn a_group_goes_back_in_order(queues: &dyn DeadLettersUnderTest) {
    for n in 0..12 {
        queues.set_aside(&format!("status {n:02}"), Some("g"), "why").await;
    }
    queues.set_aside("other", Some("h"), "why").await;
    assert_eq!(queues.take(DeadLetterQueue::Statuses).await, [""; 0]);
    let redriven = redrive(queues, DeadLetterQueue::Statuses, Which::Any(100)).await;
    assert_eq!((redriven.ids.len(), redriven.more), (13, false));
    let mut came = queues.take(DeadLetterQueue::Statuses).await;
    came.retain(|body| body != "other");
    assert_eq!(came, (0..12).map(|n| format!("status {n:02}")).collect::<Vec<_>>());
}

/// Nothing was set aside on the way from the topic; ids that are asked for are missing.
pub async fn an_empty_queue_has_nothing_to_send_back(queues: &dyn DeadLettersUnderTest) {
    for queue in DeadLetterQueue::ALL {
        assert_eq!(list(queues, queue).await, []);
        let asked = vec!["123".to_owned()];
        let redriven = redrive(queues, queue, Which::These(asked.clone())).await;
        assert_eq!(redriven, Redriven { missing: asked, ..Redriven::default() });
    }
}

/// Hands every function of the suite to a macro, behind whatever else it is to be handed:
/// `$each! { …; [function, function,] }`.
#[macro_export]
macro_rules! every_dead_letters_case {
    ($each:path $(, $more:tt)*) => {
        $each! { $($more)*; [
            a_look_tells_all_and_takes_nothing,
            a_look_keeps_to_its_limit,
            all_go_back_in_portions,
            chosen_ones_go_back,
            set_aside_again_it_has_another_id,
            a_group_goes_back_in_order,
            an_empty_queue_has_nothing_to_send_back,
        ] }
    };
}

/// Makes a test of each function of the suite. The argument is an expression that makes a future of fresh queues.
#[macro_export]
macro_rules! dead_letters_contract {
    ($fresh:expr) => {
        $crate::every_dead_letters_case!($crate::dead_letters_contract_tests, { $fresh });
    };
}

/// What [`dead_letters_contract`](crate::dead_letters_contract) makes of the suite.
#[doc(hidden)]
#[macro_export]
macro_rules! dead_letters_contract_tests {
    ($fresh:block; [$($name:ident,)+]) => {
        $(
            #[tokio::test]
            async fn $name() {
                let queues = $fresh.await;
                $crate::contract::queue::dead::$name(&queues).await;
            }
        )+
    };
}
