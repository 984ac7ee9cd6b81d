//! From bytes to text.

use std::path::PathBuf;
use std::sync::Arc;

use super::{ParsedFile, unreadable};
use crate::model::{Code, Diagnostic, Place, Source, Span};

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Makes a [`Source`]: UTF-8, without a byte order mark, with `\n` line ends.
pub(super) fn normalise(path: PathBuf, bytes: Vec<u8>) -> Result<Source, ParsedFile> {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(not_utf8(path, &error)),
    };
    let source = Source::new(path, tidy(text));
    match source.text().find('\0') {
        Some(at) => Err(nul(source, at)),
        None => Ok(source),
    }
}

fn tidy(text: String) -> String {
    let text = match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    if text.contains("\r\n") { text.replace("\r\n", "\n") } else { text }
}

fn not_utf8(path: PathBuf, error: &std::string::FromUtf8Error) -> ParsedFile {
    let valid = error.utf8_error().valid_up_to();
    let bytes = error.as_bytes();
    let byte = bytes.get(valid).copied().unwrap_or_default();
    // Shown with replacement characters; what stands before keeps its places.
    let before = tidy(String::from_utf8_lossy(&bytes[..valid]).into_owned());
    let at = before.len();
    let rest = String::from_utf8_lossy(&bytes[valid..]);
    let line = rest.lines().next().unwrap_or_default();
    let source = Arc::new(Source::new(path, before + line));
    let place = Place::new(
        &source,
        Span::new(at, at + char::REPLACEMENT_CHARACTER.len_utf8()),
        format!("byte 0x{byte:02x}"),
    );
    let utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let likely = if utf16 { "UTF-16" } else { "WINDOWS-1252" };
    let problem = Diagnostic::error(Code::NotUtf8, "the file is not valid UTF-8")
        .at(place)
        .help(format!("convert it, for example with `iconv -f {likely} -t UTF-8`"));
    unreadable(source, problem)
}

fn nul(source: Source, at: usize) -> ParsedFile {
    let source = Arc::new(source);
    let problem = Diagnostic::error(
        Code::NulByte,
        "the file holds a NUL byte, and PostgreSQL's texts cannot",
    )
    .at(Place::new(&source, Span::new(at, at + 1), "here"))
    .help("it may be UTF-16: save it as UTF-8");
    unreadable(source, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_line_ends_are_taken_out() {
        let source = normalise("a.sql".into(), b"\xef\xbb\xbfa\r\nb\rc\n".to_vec()).unwrap();
        assert_eq!(source.text(), "a\nb\rc\n");
    }

    #[test]
    fn what_is_no_text_is_placed() {
        for (bytes, code, line, column) in [
            (&b"ab\n\xff\xfe"[..], Code::NotUtf8, 2, 1),
            (&b"\xef\xbb\xbfa\r\nbc\0"[..], Code::NulByte, 2, 3),
        ] {
            let file = normalise("a.sql".into(), bytes.to_vec()).unwrap_err();
            let found = &file.diagnostics[0];
            let at = found.place.as_ref().and_then(Place::location).unwrap();
            assert_eq!((found.code, at.line, at.column), (code, line, column));
        }
    }
}
