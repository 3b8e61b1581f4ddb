//! A hundred thousand messages wait: new ones cost what they always cost, memory holds what is in flight, and all of it is
//! handed out as it is due.

use super::*;

const BACKLOG: u32 = 100_000;

/// Entries kept in memory for all queues together.
async fn entries(queues: &Queues) -> usize {
    let sum = |books: &mut books::Books| Ok(books.lines().iter().map(line::Line::entries).sum());
    queues.writer.call(Weight::Read, sum).await.unwrap()
}

#[tokio::test]
async fn a_new_message_costs_the_same_however_many_wait() {
    for (queue, group) in [(FANOUT, "NULL"), (STATUSES, "'one'"), (STATUSES, "'g' || n")] {
        let mut costs = Vec::new();
        for count in [100, BACKLOG] {
            let (queues, clock) = fresh();
            fill(&queues, queue, count, clock.now().as_millisecond(), group).await;
            let sender = queues.queue(queue).unwrap();
            let before = steps(&queues, ledger::SEND).await;
            for n in 0..10 {
                let id = format!("new {n}").replace(' ', "-");
                let fifo = (queue == STATUSES).then_some(("one", id.as_str()));
                sender.send(Outgoing { body: &id, attributes: &[], fifo }).await.unwrap();
            }
            costs.push(steps(&queues, ledger::SEND).await - before);
            assert_eq!(queues.syncs(), 11, "one for each, and one to fill it");
        }
        assert!(costs[0] < 2000, "{queue} {group}: {costs:?} steps");
        assert!(costs[1] <= costs[0] + 50, "{queue} {group}: {costs:?} steps");
    }
}

#[tokio::test]
async fn it_drains_in_the_order_in_which_it_is_due_and_memory_holds_what_is_in_flight() {
    const AT_ONCE: usize = 1000;
    let (queues, clock) = fresh();
    let now = clock.now().as_millisecond();
    // Every millisecond of the last 100 s, in an order that has nothing to do with that of sending.
    let due = |id: i64| now - id * 7919 % 100_003;
    fill(&queues, FANOUT, BACKLOG, now, "NULL").await;
    let spread = format!("UPDATE message SET due_at = {now} - id * 7919 % 100003");
    queues.writer.call(Weight::Change, move |books| books.ledger().conn().execute_batch(&spread)).await.unwrap();
    let fanout = queues.queue(FANOUT).unwrap();
    assert_eq!(entries(&queues).await, 0, "what waits stands in the file");

    fanout.send(plain("new")).await.unwrap();
    let (mut last, mut count, mut bodies) = ((i64::MIN, 0), 0, String::new());
    loop {
        let came = fanout.receive(AT_ONCE, HIDDEN).await.unwrap();
        if came.is_empty() {
            break;
        }
        let kept = entries(&queues).await;
        assert!(kept <= 3 * AT_ONCE, "{kept} entries for {AT_ONCE} messages in flight");
        for message in &came {
            let id: i64 = message.id.parse().unwrap();
            let place = if message.body == "new" { (now, id) } else { (due(id), id) };
            assert!(place > last, "{place:?} came after {last:?}");
            last = place;
        }
        count += came.len();
        bodies.clone_from(&came[came.len() - 1].body);
        fanout.ack(&came.iter().map(|message| message.handle.as_str()).collect::<Vec<_>>()).await.unwrap();
    }
    assert_eq!((count, bodies.as_str()), (BACKLOG as usize + 1, "new"));
    assert_eq!(entries(&queues).await, 0);
}
