//! Writing to stdout and stderr without ever panicking.

use std::io::{self, ErrorKind, Write};

/// Decides for both streams; `Auto` looks at the terminal and NO_COLOR.
pub(crate) fn set_colour(choice: anstream::ColorChoice) {
    choice.write_global();
}

/// Writes data to stdout. A reader that has closed it early (`| head`) is a
/// quiet end, so every error is: there is nobody left to tell.
pub(crate) fn data(text: &str) {
    let _ = write_all(&mut anstream::stdout(), text);
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
