//! Time stands still in these tests and jumps when nothing else is left to do; streams are within the process.

use super::*;

use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const LIMITS: Limits = Limits {
    head: Duration::from_secs(15),
    request: Duration::from_secs(60),
    stall: Duration::from_secs(30),
    linger: Duration::from_secs(1),
    connections: 1,
    waiting: 1,
    patience: Duration::from_secs(5),
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

fn router() -> Router {
    Router::new()
        .route("/", get(|| async { "here" }))
        .route("/echo", post(|body: Bytes| async { body }))
        .route("/early", post(|| async { (StatusCode::UNAUTHORIZED, "no") }))
        .route("/large", get(|| async { Body::from(vec![b'x'; 1 << 20]) }))
        .route("/slow", get(|| async { sleep(Duration::from_secs(50)).await }))
}

/// A gateway's door, and a way to tell it to stop.
struct House {
    door: Arc<Door>,
    stop: watch::Sender<bool>,
}

impl House {
    fn open() -> Self {
        Self { door: Arc::new(Door::new(router(), LIMITS)), stop: watch::Sender::new(false) }
    }

    /// A new connection whose pipe holds `room` bytes.
    fn connect(&self, room: usize) -> (DuplexStream, JoinHandle<()>) {
        let (ours, theirs) = duplex(room);
        (ours, tokio::spawn(self.door.clone().welcome(theirs, None, self.stop.subscribe())))
    }
}

/// The future's result; by this clock nothing takes longer, so that what would hang fails.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(3600), future).await.expect("an end within the hour")
}

/// What is read before the other side closes.
async fn rest(stream: &mut DuplexStream) -> String {
    let mut read = Vec::new();
    soon(stream.read_to_end(&mut read)).await.unwrap();
    String::from_utf8(read).unwrap()
}

async fn one_answer(stream: &mut DuplexStream) -> String {
    let mut read = vec![0; 1000];
    let count = soon(stream.read(&mut read)).await.unwrap();
    String::from_utf8(read[..count].to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_has_only_so_long() {
    let house = House::open();
    let (mut stream, task) = house.connect(4096);
    let before = Instant::now();
    let trickle = async {
        for byte in GET {
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        rest(&mut stream).await
    };
    let (read, ()) = tokio::join!(trickle, async { soon(task).await.unwrap() });
    assert_eq!(read, "");
    assert!(before.elapsed() < LIMITS.head + LIMITS.linger + Duration::from_secs(2), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_and_one_that_is_used_is_not() {
    let house = House::open();
    let (mut stream, task) = house.connect(4096);
    for _ in 0..5 {
        sleep(LIMITS.head - Duration::from_secs(1)).await;
        stream.write_all(GET).await.unwrap();
        assert!(one_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    }
    let before = Instant::now();
    assert_eq!(rest(&mut stream).await, "");
    assert_eq!(before.elapsed().as_secs(), LIMITS.head.as_secs());
    drop(stream);
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_told_so() {
    let house = House::open();
    let (mut stream, task) = house.connect(4096);
    stream.write_all(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
    let before = Instant::now();
    let read = rest(&mut stream).await;
    assert!(read.starts_with("HTTP/1.1 408 ") && read.contains("application/problem+json"), "{read}");
    assert_eq!(before.elapsed().as_secs(), LIMITS.request.as_secs());
    drop(stream);
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_reads_nothing_is_left() {
    let house = House::open();
    let (mut stream, task) = house.connect(4096);
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let before = Instant::now();
    soon(task).await.unwrap();
    assert_eq!(before.elapsed().as_secs(), LIMITS.stall.as_secs());
    drop(stream);

    // One that takes a little now and then is none of those.
    let (mut stream, _task) = house.connect(4096);
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let (mut some, mut sum) = (vec![0; 64 * 1024], 0);
    loop {
        sleep(LIMITS.stall - Duration::from_secs(1)).await;
        match stream.read(&mut some).await.unwrap() {
            0 => break,
            count => sum += count,
        }
    }
    assert!(sum > 1 << 20);
}

#[tokio::test(start_paused = true)]
async fn a_head_has_so_many_headers_and_bytes() {
    let house = House::open();
    let many = "a: b\r\n".repeat(101);
    let large = format!("a: {}\r\n", "b".repeat(HEAD_BYTES));
    let usual = format!("a: {}\r\n", "b".repeat(HEAD_BYTES / 2));
    for (headers, code) in [(many, 431), (large, 431), (usual, 200)] {
        let (mut stream, task) = house.connect(1 << 20);
        stream.write_all(format!("GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n").as_bytes()).await.unwrap();
        assert!(one_answer(&mut stream).await.starts_with(&format!("HTTP/1.1 {code} ")), "{code}");
        drop(stream);
        task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_place_one_waits_and_is_told_when_none_comes() {
    let house = House::open();
    let (mut first, first_task) = house.connect(4096);
    first.write_all(GET).await.unwrap();
    assert!(one_answer(&mut first).await.starts_with("HTTP/1.1 200"));
    let (mut second, _task) = house.connect(4096);
    second.write_all(GET).await.unwrap();
    let before = Instant::now();
    let read = rest(&mut second).await;
    assert!(read.starts_with("HTTP/1.1 503 ") && read.contains("retry-after: 5"), "{read}");
    assert_eq!(before.elapsed().as_secs(), LIMITS.patience.as_secs());

    let (mut third, _task) = house.connect(4096);
    third.write_all(GET).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    drop(first);
    first_task.await.unwrap();
    assert!(one_answer(&mut third).await.starts_with("HTTP/1.1 200"), "the first one's place");
}

#[tokio::test(start_paused = true)]
async fn told_to_stop_it_closes_what_is_idle_and_finishes_what_runs() {
    let house = House { door: Arc::new(Door::new(router(), Limits { connections: 2, ..LIMITS })), ..House::open() };
    let (mut idle, idle_task) = house.connect(4096);
    let (mut busy, busy_task) = house.connect(4096);
    idle.write_all(GET).await.unwrap();
    assert!(one_answer(&mut idle).await.starts_with("HTTP/1.1 200"));
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    house.stop.send_replace(true);
    let before = Instant::now();
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(before.elapsed().as_secs(), 0);
    assert!(rest(&mut busy).await.starts_with("HTTP/1.1 200 "));
    drop((idle, busy));
    idle_task.await.unwrap();
    busy_task.await.unwrap();
}

/// Over a real socket, because only a kernel sends resets.
#[tokio::test]
async fn an_answer_that_comes_before_the_body_was_read_can_be_read() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(serve(listener, router(), LIMITS, stopped));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = 4 << 20;
    let head = format!("POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // All of it goes out, however soon the answer came.
    stream.write_all(&vec![b'x'; length]).await.unwrap();
    let mut read = String::new();
    stream.read_to_string(&mut read).await.unwrap();
    assert!(read.starts_with("HTTP/1.1 401 ") && read.ends_with("no"), "{read}");
    drop(stream);
    stop.send_replace(true);
    task.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
