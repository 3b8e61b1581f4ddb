//! Deliveries, their server, its call-backs and GitHub, with a gateway between them that is killed again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use standin::Moment;
use standin::ci::{Answer, Call};
use standin::github::{Fault, Kind};
use standin::http;
use testkit::story::REPOSITORY;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::ledger::{Entry, Step, Told};
use super::steered::{Killer, Scene, Seen, Steered};

/// Deliveries in a row, before time goes on and the server reports.
const IN_A_ROW: usize = 20;

/// A step in time that outlasts a lease and a settling (30 s each).
const STEP: i64 = 31;

/// Such steps, 12 minutes, after which nothing can be due any more: a status that failed again and again waits for up to
/// five minutes, spread by some more; a server's retries that follow three failures come sooner.
const STEPS: usize = 24;

/// Where the gateway is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// At its call of the server.
    Server(Moment),
    /// At a request to GitHub.
    Github(Kind, Moment),
    /// When the answer to a delivery has been read.
    Acknowledged,
    /// When the answer to a call-back has been read.
    CallBack,
}

/// Decides at each point whether the gateway dies there.
pub type Trigger = Box<dyn FnMut(Point) -> bool + Send>;

/// What happens around the gateway, over all its lives.
pub struct Storm {
    scene: Scene,
    gun: Arc<Gun>,
    books: Arc<Mutex<Books>>,
    /// How many deliveries have to be acknowledged.
    deliveries: usize,
    /// And how many are under way at once.
    at_once: usize,
    /// Lives so far.
    pub lives: usize,
}

/// Points at the gateway that lives.
struct Gun {
    killer: Mutex<Option<Killer>>,
    trigger: Mutex<Trigger>,
}

impl Gun {
    fn point(&self, point: Point) {
        let mut killer = self.killer.lock().unwrap();
        if killer.is_some() && (self.trigger.lock().unwrap())(point) {
            killer.take().unwrap().kill();
        }
    }
}

#[derive(Default)]
struct Books {
    /// By commit: the event's id, and whether it was acknowledged.
    sent: HashMap<String, (String, bool)>,
    acknowledged: usize,
    /// By receipt: the first call of each, and how many of its call-backs were accepted.
    calls: HashMap<String, (Call, usize)>,
}

impl Storm {
    /// A server that reports in its answer and by call-back, and a gun that `trigger` pulls.
    pub async fn new(deliveries: usize, at_once: usize, trigger: Trigger) -> Self {
        let scene = Scene::new().await;
        let gun = Arc::new(Gun { killer: Mutex::new(None), trigger: Mutex::new(trigger) });
        let books = Arc::new(Mutex::new(Books::default()));
        let (at, noting) = (gun.clone(), books.clone());
        scene.server.watch(move |moment, call| {
            if moment == Moment::Taken {
                noting.lock().unwrap().calls.entry(call.receipt.clone()).or_insert_with(|| (call.clone(), 0));
            }
            at.point(Point::Server(moment));
        });
        let at = gun.clone();
        scene.github.watch(move |moment, request| at.point(Point::Github(request.kind, moment)));
        let statuses = [("lint", "success", "clean"), ("build", "pending", "queued")].map(status);
        scene.server.answer_always(Answer::json(&json!({ "statuses": statuses })));
        Self { scene, gun, books, deliveries, at_once, lives: 0 }
    }

    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// After each request, `fault` may name a failure for the next POST.
    pub fn fail_github(&self, fault: impl Fn() -> Option<Fault> + Send + Sync + 'static) {
        let (at, github) = (self.gun.clone(), Arc::downgrade(&self.scene.github));
        self.scene.github.watch(move |moment, request| {
            if moment == Moment::Taken
                && let (Some(github), Some(fault)) = (github.upgrade(), fault())
            {
                github.fail(Kind::Post, fault);
            }
            at.point(Point::Github(request.kind, moment));
        });
    }

    /// One life after the other, until everything is acknowledged and nothing is left to do. Before each, that many
    /// seconds pass.
    pub async fn rage(&mut self, mut pause: impl FnMut() -> i64) -> Steered {
        loop {
            self.lives += 1;
            self.scene.pass(pause());
            let starting = self.scene.begin();
            *self.gun.killer.lock().unwrap() = Some(starting.killer.clone());
            let Some(gateway) = starting.ready(&self.scene).await else { continue };
            let gateway = Arc::new(gateway);
            while self.missing() > 0 && self.deliver(&gateway).await && gateway.idle_or_dead().await == Seen::Alive {
                self.call_back(&gateway).await;
                gateway.advance(1);
            }
            let alive = self.finish(&gateway).await;
            let gateway = Arc::into_inner(gateway).unwrap();
            if alive {
                return gateway;
            }
            gateway.dead().await;
        }
    }

    /// The books, with what the API says of each delivery, and all that GitHub shows.
    pub async fn books(&self, gateway: &Steered) -> (Vec<Entry>, Vec<Told>) {
        let sent = self.books.lock().unwrap().sent.clone();
        let mut entries = Vec::new();
        for (sha, (event, acknowledged)) in sent {
            let found = gateway.get(&format!("/v1/events/{event}")).await.json();
            let statuses = gateway.get(&format!("/v1/commits/{REPOSITORY}/{sha}/statuses")).await.json();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let rows = statuses["statuses"].as_array().cloned().unwrap_or_default();
            entries.push(Entry {
                state: found["status"].as_str().map(str::to_owned),
                outcomes: rows.iter().map(|row| (text(&row["context"]), text(&row["outcome"]))).collect(),
                to_say: to_say(),
                event,
                sha,
                acknowledged,
            });
        }
        let told = self.scene.github.all_statuses().into_iter().map(|status| Told {
            sha: status.sha,
            context: status.context,
            step: (status.state, status.description.unwrap_or_default()),
        });
        (entries, told.collect())
    }

    /// Deliveries that have not been acknowledged.
    fn missing(&self) -> usize {
        self.deliveries - self.books.lock().unwrap().acknowledged
    }

    /// Sends some more deliveries, each of them once and about a commit of its own; false when the gateway is dead.
    async fn deliver(&self, gateway: &Arc<Steered>) -> bool {
        let mut sending = JoinSet::new();
        let mut left = IN_A_ROW.min(self.missing());
        loop {
            while sending.len() < self.at_once.min(left) {
                let (gateway, books, gun) = (gateway.clone(), self.books.clone(), self.gun.clone());
                sending.spawn(async move {
                    // 40 hexadecimal digits, as a commit's are.
                    let sha = format!("{}c0ffee00", Uuid::new_v4().simple());
                    let delivery = gateway.pull_request(7, &sha);
                    books.lock().unwrap().sent.insert(sha.clone(), (delivery.id(), false));
                    let answered = delivery.try_send().await.is_ok_and(|sent| sent.reply.code == 202);
                    if answered {
                        let mut books = books.lock().unwrap();
                        books.acknowledged += 1;
                        books.sent.get_mut(&sha).unwrap().1 = true;
                        drop(books);
                        gun.point(Point::Acknowledged);
                    }
                    answered
                });
            }
            let Some(answered) = sending.join_next().await else { return true };
            if !answered.unwrap() {
                // It is dying. What is under way may still be answered.
                while sending.join_next().await.is_some() {}
                return false;
            }
            left -= 1;
        }
    }

    /// Lets time pass until nothing is left to do; false when the gateway died meanwhile. Whoever was under way at five
    /// kills is set aside as if it had caused them, and is sent back here.
    async fn finish(&self, gateway: &Steered) -> bool {
        let mut quiet = 0;
        while quiet < STEPS {
            if gateway.idle_or_dead().await == Seen::Dead {
                return false;
            }
            if self.call_back(gateway).await || gateway.redrive().await {
                quiet = 0;
            } else {
                gateway.advance(STEP);
                quiet += 1;
            }
        }
        true
    }

    /// The server reports, step by step, on every call whose answer has arrived: what it reports before is accepted before, and
    /// then the answer would be the newer word. Answers whether there was anything to report.
    async fn call_back(&self, gateway: &Steered) -> bool {
        let steps = reports();
        let waiting: Vec<_> =
            self.books.lock().unwrap().calls.values().filter(|(_, done)| *done < steps.len()).cloned().collect();
        let mut any = false;
        for (call, done) in waiting {
            match self.is_processed(gateway, &call).await {
                Some(true) => {}
                Some(false) => continue,
                // It is dying.
                None => return true,
            }
            any = true;
            for (at, &(name, state, message)) in steps.iter().enumerate().skip(done) {
                let key = format!("{}-{at}", call.receipt);
                let report = gateway.call_back(&call).header("idempotency-key", &key).status(name, state, message);
                // Whoever has no answer reports again, to the next gateway.
                let Ok(reply) = report.try_send().await else { return true };
                assert_eq!(reply.code, 202, "{}", reply.json());
                self.books.lock().unwrap().calls.get_mut(&call.receipt).unwrap().1 = at + 1;
                self.gun.point(Point::CallBack);
            }
        }
        any
    }
}

impl Storm {
    /// Whether the event of that call is; none when nobody answers.
    async fn is_processed(&self, gateway: &Steered, call: &Call) -> Option<bool> {
        let body = call.json().unwrap();
        let sha = body["pull_request"]["head"]["sha"].as_str().unwrap();
        let event = self.books.lock().unwrap().sent[sha].0.clone();
        let url = format!("{}/v1/events/{event}", gateway.api);
        Some(http::send("GET", &url, &[], "").await.ok()?.json()["status"] == "processed")
    }
}

/// What the server reports by call-back.
fn reports() -> [(&'static str, &'static str, &'static str); 2] {
    [("build", "pending", "running"), ("build", "failure", "2 of 7 tests failed")]
}

/// What answer and call-backs say together.
fn to_say() -> HashMap<String, Vec<Step>> {
    let step = |state: &str, message: &str| (state.to_owned(), message.to_owned());
    let mut say = HashMap::from([
        ("lint".to_owned(), vec![step("success", "clean")]),
        ("build".to_owned(), vec![step("pending", "queued")]),
    ]);
    for (name, state, message) in reports() {
        say.entry(name.to_owned()).or_default().push(step(state, message));
    }
    say
}

fn status((name, state, message): (&str, &str, &str)) -> Value {
    json!({ "name": name, "status": state, "message": message })
}
