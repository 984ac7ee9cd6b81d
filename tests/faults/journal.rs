//! What happened in a round, for whoever has to find out why it failed.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

/// How much of each output is shown.
const TAIL: usize = 6_000;

pub struct Journal {
    began: Instant,
    lines: String,
}

impl Journal {
    pub fn new() -> Self {
        Self { began: Instant::now(), lines: String::new() }
    }

    pub fn note(&mut self, line: &str) {
        let at = self.began.elapsed().as_secs_f64();
        let _ = writeln!(self.lines, "{at:8.3} {line}");
    }

    /// Everything that is known: the faults, what the runners said, the server's log.
    pub fn render(&self, outputs: &Path, log: &str) -> String {
        let mut text = format!("=== what happened (seconds)\n{}", self.lines);
        let mut files: Vec<_> = std::fs::read_dir(outputs)
            .into_iter()
            .flatten()
            .flatten()
            .map(|it| it.path())
            .collect();
        files.sort();
        for file in files {
            let content = std::fs::read_to_string(&file).unwrap_or_default();
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let _ = write!(text, "=== {name}\n{}\n", tail(&content));
        }
        let _ = write!(text, "=== the server's log\n{}\n", tail(log));
        text
    }
}

fn tail(text: &str) -> &str {
    let from = text.len().saturating_sub(TAIL);
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    &text[from..]
}
