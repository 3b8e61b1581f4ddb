//! The queue suite: what every queue behind the ports does, SQS or ours.
//!
//! Each function takes a fresh, empty queue. [`queue_contract`](crate::queue_contract) makes a test of each, so
//! that an adapter cannot pass by leaving one out.

pub mod dead;
pub mod fifo;
pub mod refusals;
pub mod standard;

use std::time::Duration;

use async_trait::async_trait;
use domain::error::PortError;
use domain::ports::Message;

/// A message to be sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sending<'a> {
    /// The body.
    pub body: &'a str,
    /// Names and values.
    pub attributes: &'a [(&'a str, &'a str)],
    /// Group and de-duplication id.
    pub fifo: Option<(&'a str, &'a str)>,
}

/// A dead letter, as far as every implementation knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// The bytes that were sent.
    pub body: String,
    /// Why it was set aside.
    pub reason: String,
}

/// One queue with its dead-letter queue, and the time it lives in.
#[async_trait]
pub trait QueueUnderTest: Send + Sync {
    /// Sends several at once; one result for each.
    async fn send_batch(&self, messages: &[Sending<'_>]) -> Result<Vec<Result<(), PortError>>, PortError>;
    /// Up to `max` messages (at most ten), hidden for `visibility`. Where the network is between, this may wait a
    /// moment for them to appear.
    async fn receive(&self, max: usize, visibility: Duration) -> Result<Vec<Message>, PortError>;
    /// Deletes a message.
    async fn ack(&self, message: &Message) -> Result<(), PortError>;
    /// Hides a message for so long from now.
    async fn defer(&self, message: &Message, by: Duration) -> Result<(), PortError>;
    /// Puts a message into the dead-letter queue.
    async fn dead_letter(&self, message: &Message, reason: &str) -> Result<(), PortError>;
    /// All dead letters, oldest first.
    async fn dead_letters(&self) -> Result<Vec<Dead>, PortError>;
    /// Sends all dead letters back.
    async fn redrive(&self) -> Result<(), PortError>;
    /// Lets that much time pass.
    async fn pass(&self, time: Duration);

    /// Sends one.
    async fn send(&self, message: Sending<'_>) -> Result<(), PortError> {
        self.send_batch(&[message]).await?.remove(0)
    }
}

/// How long a received message is hidden in this suite.
const HIDDEN: Duration = Duration::from_secs(30);
/// Just longer than that.
const LONGER: Duration = Duration::from_secs(31);

fn plain(body: &str) -> Sending<'_> {
    Sending { body, ..Sending::default() }
}

/// In a group; its own body is the de-duplication id.
fn grouped<'a>(group: &'a str, body: &'a str) -> Sending<'a> {
    Sending { body, attributes: &[], fifo: Some((group, body)) }
}

async fn send_all(queue: &dyn QueueUnderTest, messages: &[Sending<'_>]) {
    for sent in queue.send_batch(messages).await.unwrap() {
        sent.unwrap();
    }
}

async fn receive(queue: &dyn QueueUnderTest) -> Vec<Message> {
    queue.receive(10, HIDDEN).await.unwrap()
}

async fn nothing_comes(queue: &dyn QueueUnderTest) {
    let came = receive(queue).await;
    assert!(came.is_empty(), "nothing should be visible, but: {:?}", bodies(&came));
}

/// Receives until there are so many: a queue may hand out fewer than it could.
async fn take(queue: &dyn QueueUnderTest, count: usize) -> Vec<Message> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let came = receive(queue).await;
        assert!(!came.is_empty(), "{count} messages should come, but only {:?} did", bodies(&taken));
        taken.extend(came);
    }
    assert_eq!(taken.len(), count, "too many: {:?}", bodies(&taken));
    taken
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body.as_str()).collect()
}

fn sorted(messages: &[Message]) -> Vec<&str> {
    let mut bodies = bodies(messages);
    bodies.sort_unstable();
    bodies
}

async fn ack_all(queue: &dyn QueueUnderTest, messages: &[Message]) {
    for message in messages {
        queue.ack(message).await.unwrap();
    }
}

/// Hands every function of the suite to a macro, module by module, behind whatever else it is to be handed:
/// `$each! { …; standard: [function, function,] }`. The module says which kind of queue the functions are for;
/// `refusals` has functions for both.
#[macro_export]
macro_rules! every_queue_case {
    ($each:path $(, $more:tt)*) => {
        $each! { $($more)*; standard standard: [
            every_message_comes_until_it_is_acknowledged,
            in_flight_is_hidden_until_the_time_out,
            a_stale_handle_deletes_nothing,
            deferred_is_hidden_until_its_time,
            dead_letters_are_kept_and_redriven,
            many_come_each_once,
            growing_delays_are_kept,
            each_message_of_a_receive_has_an_end_of_its_own,
            a_batch_takes_what_is_fit,
            bodies_come_back_exactly,
        ] }
        $each! { $($more)*; fifo fifo: [
            a_group_comes_in_order,
            a_group_in_flight_is_handed_out_no_further,
            groups_do_not_wait_for_each_other,
            groups_go_on_side_by_side_each_in_order,
            growing_delays_keep_the_order,
            a_deferred_head_blocks_its_group_only,
            a_group_goes_on_where_it_failed,
            a_head_given_back_waits_for_those_behind_it,
            a_message_behind_the_head_keeps_its_own_deferral,
            a_time_out_starts_the_group_again,
            a_stale_handle_is_refused,
            the_same_id_is_sent_once,
            a_dead_letter_frees_its_group,
            redriven_messages_keep_their_order,
        ] }
        $each! { $($more)*; standard refusals: [standard_refuses,] }
        $each! { $($more)*; fifo refusals: [fifo_refuses, fifo_takes_what_is_allowed,] }
    };
}

/// Makes a test of each function of the suite. Both arguments are expressions that make a future of a fresh
/// queue: the first a standard one, the second a FIFO one.
#[macro_export]
macro_rules! queue_contract {
    ($standard:expr, $fifo:expr) => {
        $crate::every_queue_case!($crate::queue_contract_tests, { $standard }, { $fifo });
    };
}

/// What [`queue_contract`](crate::queue_contract) makes of a module.
#[doc(hidden)]
#[macro_export]
macro_rules! queue_contract_tests {
    ($standard:block $fifo:block; standard $module:ident: [$($name:ident,)+]) => {
        $crate::queue_contract_tests!(@each $standard $module [$($name,)+]);
    };
    ($standard:block $fifo:block; fifo $module:ident: [$($name:ident,)+]) => {
        $crate::queue_contract_tests!(@each $fifo $module [$($name,)+]);
    };
    (@each $fresh:block $module:ident [$($name:ident,)+]) => {
        $(
            #[tokio::test]
            async fn $name() {
                let queue = $fresh.await;
                $crate::contract::queue::$module::$name(&queue).await;
            }
        )+
    };
}
