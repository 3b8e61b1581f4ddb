//! A question to whoever sits at the terminal.

use std::io::{IsTerminal, Write, stderr, stdin};

use super::printable;

/// Asks, and waits for a line; everything but a yes is a no. None where nobody can be asked. Dropped, it is as if
/// nobody had answered.
pub(crate) async fn yes(question: &str, may_ask: bool) -> Option<bool> {
    if !may_ask || !stdin().is_terminal() || !stderr().is_terminal() {
        return None;
    }
    let mut to = stderr();
    let _ = write!(to, "{} [y/N] ", printable(question)).and_then(|()| to.flush());
    let (sender, line) = tokio::sync::oneshot::channel();
    // A thread of its own: what still waits for a line when we are interrupted must not hold the program up.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = stdin().read_line(&mut line).map(|_| line);
        let _ = sender.send(read);
    });
    let said = line.await.ok()?.ok()?;
    Some(matches!(said.trim().to_lowercase().as_str(), "y" | "yes"))
}
