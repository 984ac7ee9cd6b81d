//! Paths as SARIF names files (3.4.3 and 3.4.4).

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::log::ArtifactLocation;

/// What relative paths are relative to.
pub(super) const ROOT: &str = "%SRCROOT%";

/// All that is not "unreserved" (RFC 3986, 2.3), but for the slash. A colon in the
/// first segment would make a scheme of it.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Paths inside the working directory have a base; those outside have none, since
/// `..` must not lead out of it.
pub(super) fn artifact(path: &Path) -> ArtifactLocation {
    let outside = path.is_absolute() || path.components().any(|it| it == Component::ParentDir);
    let scheme = if path.is_absolute() { "file://" } else { "" };
    ArtifactLocation {
        uri: Some(format!("{scheme}{}", relative(path))),
        uri_base_id: (!outside).then_some(ROOT),
        description: None,
    }
}

/// The path as the reference it is, without `.` and empty segments.
pub(super) fn relative(path: &Path) -> String {
    let clean: std::path::PathBuf =
        path.components().filter(|it| *it != Component::CurDir).collect();
    percent_encode(clean.as_os_str().as_bytes(), ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn paths_become_references() {
        let cases: [(&[u8], &str, Option<&str>); 7] = [
            (b"migrations/0001_a.sql", "migrations/0001_a.sql", Some(ROOT)),
            (b"./a//b/./c.sql", "a/b/c.sql", Some(ROOT)),
            (b"a b/100%/c:d.sql", "a%20b/100%25/c%3Ad.sql", Some(ROOT)),
            ("größe.sql".as_bytes(), "gr%C3%B6%C3%9Fe.sql", Some(ROOT)),
            (b"a\xff\n.sql", "a%FF%0A.sql", Some(ROOT)),
            (b"../db/a.sql", "../db/a.sql", None),
            (b"/srv/db/a?.sql", "file:///srv/db/a%3F.sql", None),
        ];
        for (path, uri, base) in cases {
            let found = artifact(Path::new(OsStr::from_bytes(path)));
            assert_eq!((found.uri.as_deref(), found.uri_base_id), (Some(uri), base));
        }
    }
}
