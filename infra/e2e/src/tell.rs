//! Tells the stories, one after the other: they share one stack.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use domain::ports::Clock;
use lambda::clock::SystemClock;

use crate::contracts;
use crate::settings::Settings;
use crate::stack::Stack;

/// A story, which panics when it goes wrong.
type Story = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Its name, and how it is told.
type Named = (&'static str, fn(Arc<Stack>) -> Story);

/// Cases that the emulator is known not to pass, and why; one that it passes after all is reported, so that this list
/// stays true.
const DIFFERENT: [(&str, &str); 1] = [(
    "queue contract::fifo::a_message_behind_the_head_keeps_its_own_deferral",
    "a group with a hidden message hands out none, also not those before it; our batch loop hides all from the first on",
)];

/// A story that has not come to its end by then hangs.
const DEADLINE: Duration = Duration::from_secs(180);

/// Tells every story whose name has `only` in it; whether all went well.
///
/// # Errors
/// When the stack cannot be brought into its first state.
pub async fn all(settings: Settings, only: &str) -> anyhow::Result<bool> {
    let stack = Arc::new(Stack::new(settings).await?);
    let (mut told, mut failed) = (0, Vec::new());
    for (name, tell) in stories().into_iter().filter(|(name, _)| name.contains(only)) {
        let began = SystemClock.now();
        // In a task of its own, so that a panic is the story's and not ours.
        let outcome = tokio::time::timeout(DEADLINE, tokio::spawn(tell(stack.clone()))).await;
        let different = DIFFERENT.iter().find(|(known, _)| *known == name);
        let well = matches!(outcome, Ok(Ok(()))) == different.is_none();
        let seconds = SystemClock.now().duration_since(began).as_secs_f64();
        println!("   {seconds:6.1} s  {}  {name}", if well { "ok    " } else { "FAILED" });
        if let Some((_, why)) = different {
            println!("             as expected not as in the suite: {why}");
        }
        told += 1;
        if !well {
            failed.push(name);
        }
    }
    println!("   {} of {told} stories went well", told - failed.len());
    Ok(told > 0 && failed.is_empty())
}

/// Every story there is.
fn stories() -> Vec<Named> {
    let mut all: Vec<Named> = Vec::new();
    macro_rules! shared {
        ($file:ident: [$($story:ident,)*]) => { $(
            all.push((concat!(stringify!($file), "::", stringify!($story)), |stack| Box::pin(async move {
                testkit::stories::$file::$story(&stack.yard().await.unwrap()).await;
            })));
        )* };
    }
    macro_rules! own {
        ($module:ident $file:ident: [$($story:ident,)*]) => { $(
            all.push((concat!(stringify!($file), "::", stringify!($story)), |stack| Box::pin(async move {
                crate::$module::$file::$story(&stack).await;
            })));
        )* };
    }
    macro_rules! queue_case {
        (; $kind:ident $file:ident: [$($case:ident,)*]) => { $(
            all.push((concat!("queue contract::", stringify!($kind), "::", stringify!($case)), |stack| Box::pin(async move {
                let queue = contracts::queue::$kind(&stack).await;
                testkit::contract::queue::$file::$case(&queue).await;
            })));
        )* };
    }
    macro_rules! dead_letters_case {
        (; [$($case:ident,)*]) => { $(
            all.push((concat!("dead letters contract::", stringify!($case)), |stack| Box::pin(async move {
                let queues = contracts::dead_letters::fresh(&stack).await;
                testkit::contract::queue::dead::$case(&queues).await;
            })));
        )* };
    }
    macro_rules! store_case {
        (; $file:ident: [$($case:ident,)*]) => { $(
            all.push((concat!("store contract::", stringify!($file), "::", stringify!($case)), |stack| Box::pin(async move {
                testkit::contract::store::$file::$case(contracts::store::fresh(&stack).await).await;
            })));
        )* };
    }
    testkit::every_story!(shared);
    own! { stories services: [
        a_topic_that_refuses_is_a_503_and_nothing_is_half_done,
        an_event_that_is_published_twice_runs_once,
        a_table_that_fails_delays_and_loses_nothing,
        statuses_that_cannot_be_queued_are_asked_for_again,
        a_call_back_that_cannot_be_queued_is_a_503,
        a_bucket_that_refuses_is_a_503,
    ] }
    own! { stories queues: [
        one_bad_message_in_a_batch_of_ten_comes_again_alone,
        what_cannot_be_read_is_set_aside_and_the_rest_goes_on,
        a_batch_that_is_delivered_twice_runs_once,
        a_function_that_is_killed_loses_nothing,
        a_killed_writer_writes_nothing_twice,
        a_message_that_kills_its_function_is_set_aside,
    ] }
    own! { stories operator: [
        what_was_set_aside_is_listed_and_redriven,
        replays_go_through_the_topic,
        releases_are_kept_current,
        pages_are_served_to_whoever_has_the_key,
    ] }
    own! { stories secrets: [
        a_rotation_under_load_loses_no_delivery,
        forged_deliveries_do_not_hammer_the_parameter_store,
    ] }
    own! { stories bodies: [
        the_largest_body_arrives_byte_for_byte,
        what_lambda_does_not_take_is_a_413,
        bodies_around_the_limit_of_the_topic_arrive_byte_for_byte,
    ] }
    own! { contracts rest: [
        the_bucket_holds_bodies,
        the_topic_hands_on_what_it_took,
        the_parameter_holds_one_secret_or_several,
    ] }
    testkit::every_queue_case!(queue_case);
    testkit::every_dead_letters_case!(dead_letters_case);
    testkit::every_store_case!(store_case);
    all
}
