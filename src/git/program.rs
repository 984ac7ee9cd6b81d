//! The program `git`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::GitError;

/// What a hook of git's has in its environment and would lead elsewhere.
const LEADING_ELSEWHERE: [&str; 4] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"];

/// A repository, by a directory in it.
pub(super) struct Git {
    dir: PathBuf,
}

impl Git {
    /// The repository that `dir` is in.
    pub(super) fn at(dir: &Path) -> Result<Self, GitError> {
        let git = Self { dir: dir.to_owned() };
        let output = git.run(&["rev-parse", "--is-inside-work-tree"])?;
        let inside = output.status.success() && output.stdout.starts_with(b"true");
        if inside {
            return Ok(git);
        }
        let reason = match said(&output) {
            reason if reason.is_empty() => "it is no work tree".to_owned(),
            reason => reason,
        };
        Err(GitError::NoRepository { dir: dir.to_owned(), reason })
    }

    /// The commit that `name` stands for, if there is one.
    pub(super) fn commit(&self, name: &str) -> Result<Option<String>, GitError> {
        let commit = format!("{name}^{{commit}}");
        let args = ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit];
        let output = self.run(&args)?;
        Ok(line(&output).filter(|_| output.status.success()))
    }

    /// The commit at which two parted.
    pub(super) fn merge_base(&self, ours: &str, theirs: &str) -> Result<Option<String>, GitError> {
        let output = self.run(&["merge-base", ours, theirs])?;
        match output.status.code() {
            Some(0) => Ok(line(&output)),
            Some(1) => Ok(None),
            _ => Err(failed("merge-base", &output)),
        }
    }

    /// True when the history is cut off.
    pub(super) fn is_shallow(&self) -> Result<bool, GitError> {
        Ok(self.stdout(&["rev-parse", "--is-shallow-repository"])?.starts_with(b"true"))
    }

    /// The directory's path in the repository: empty, or with a slash at its end.
    pub(super) fn prefix(&self) -> Result<String, GitError> {
        let text = self.stdout(&["rev-parse", "--show-prefix"])?;
        Ok(String::from_utf8_lossy(&text).trim_end_matches('\n').to_owned())
    }

    /// What `ls-tree` says of all files of `commit` below `prefix`.
    pub(super) fn list(&self, commit: &str, prefix: &str) -> Result<Vec<u8>, GitError> {
        let mut args = vec!["ls-tree", "-r", "-z", "--full-tree", commit];
        if !prefix.is_empty() {
            args.extend(["--", prefix]);
        }
        self.stdout(&args)
    }

    /// The contents of `objects`, by their names.
    pub(super) fn blobs<'a>(
        &self,
        objects: impl Iterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, Vec<u8>>, GitError> {
        let objects: BTreeSet<&str> = objects.collect();
        if objects.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut command = self.command(&["cat-file", "--batch"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(GitError::Missing)?;
        let read = read_blobs(&mut child, &objects);
        // It ends by itself when nobody writes to it any more.
        let _ = child.wait();
        read.map_err(|error| GitError::Failed {
            command: "cat-file".to_owned(),
            reason: error.to_string(),
        })
    }

    fn stdout(&self, args: &[&str]) -> Result<Vec<u8>, GitError> {
        let output = self.run(args)?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(failed(args.first().unwrap_or(&""), &output)),
        }
    }

    fn run(&self, args: &[&str]) -> Result<Output, GitError> {
        self.command(args).stdin(Stdio::null()).output().map_err(GitError::Missing)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.dir).args(args).env("LC_ALL", "C");
        LEADING_ELSEWHERE.into_iter().for_each(|name| {
            command.env_remove(name);
        });
        command
    }
}

/// Asks for one after another, so that neither side waits for the other to read.
fn read_blobs(
    child: &mut Child,
    objects: &BTreeSet<&str>,
) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let (Some(mut ask), Some(answer)) = (child.stdin.take(), child.stdout.take()) else {
        return Ok(BTreeMap::new());
    };
    let mut answer = BufReader::new(answer);
    let mut blobs = BTreeMap::new();
    for object in objects {
        writeln!(ask, "{object}")?;
        ask.flush()?;
        // `<object> <type> <size>`, the content, a line end; or `<object> missing`.
        let mut head = String::new();
        answer.read_line(&mut head)?;
        let size = head.split_whitespace().nth(2).and_then(|size| size.parse::<usize>().ok());
        let missing = || std::io::Error::other(format!("object {object} is missing"));
        let mut content = vec![0; size.ok_or_else(missing)? + 1];
        answer.read_exact(&mut content)?;
        content.pop();
        blobs.insert((*object).to_owned(), content);
    }
    Ok(blobs)
}

fn line(output: &Output) -> Option<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or_default().trim();
    Some(line.to_owned()).filter(|line| !line.is_empty())
}

fn failed(command: &str, output: &Output) -> GitError {
    GitError::Failed { command: command.to_owned(), reason: said(output) }
}

/// Its first complaint.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().next().unwrap_or_default().trim();
    line.strip_prefix("fatal: ").unwrap_or(line).to_owned()
}
