//! Writing to stdout and stderr without ever panicking.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Decides for both streams; `Auto` looks at the terminal and NO_COLOR.
pub(crate) fn set_colour(choice: anstream::ColorChoice) {
    choice.write_global();
}

/// Set when data could not be written, for [`failed`].
static FAILED: AtomicBool = AtomicBool::new(false);

/// Writes data to stdout. A reader that has closed it early (`| head`) is a quiet
/// end; any other error (a full disk) makes [`failed`] true.
pub(crate) fn data(text: &str) {
    if write_all(&mut anstream::stdout(), text).is_err() {
        FAILED.store(true, Ordering::Relaxed);
    }
}

/// True when some data did not get to where it was to go.
pub(crate) fn failed() -> bool {
    FAILED.load(Ordering::Relaxed)
}

/// Writes a line about what happens to stderr.
pub(crate) fn log(line: &str) {
    let _ = write_all(&mut anstream::stderr(), &format!("{line}\n"));
}

fn write_all(stream: &mut impl Write, text: &str) -> io::Result<()> {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
