//! Real migrations, broken at random: `validate`'s and `infer`'s way through them
//! never panics, never points outside of a file, and never takes long.
//!
//! One seed is one directory of a few files. A seed that fails is replayed with
//! `MIGRAPH_FUZZ_SEED=n cargo test --test fuzz`. `MIGRAPH_FUZZ=3600` goes on for so
//! many seconds, and `MIGRAPH_FUZZ_FILES=DIR` breaks the `*.sql` files below `DIR`
//! instead of the sample's. Who breaks other files needs them to replay a seed, so
//! what failed is also written to the target's `tmp`.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;
use migraph::analyse::{Analysis, Strictness, findings, infer};
use migraph::graph;
use migraph::model::Diagnostic;
use migraph::parse::{Depth, Unlisted, parse, settle};
use migraph::syntax::{lex, on_large_stack};

/// As many seeds as a test run can afford.
const SEEDS: u64 = 150;

/// A few files of some kilobytes must be done long before.
const LIMIT: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "a test has no configuration")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str) -> Option<u64> {
    setting(name).map(|value| value.parse().unwrap())
}

/// The texts to break, in the order of their paths.
fn corpus() -> Vec<Vec<u8>> {
    let sample = || format!("{}/migrations", env!("CARGO_MANIFEST_DIR"));
    let dir = PathBuf::from(setting("MIGRAPH_FUZZ_FILES").unwrap_or_else(sample));
    let mut pending = vec![dir];
    let mut files = Vec::new();
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.extension() {
                _ if entry.is_dir() => pending.push(entry),
                Some(ending) if ending == "sql" => files.push(entry),
                _ => {}
            }
        }
    }
    files.sort();
    files.iter().map(|path| fs::read(path).unwrap()).filter(|it| it.len() < 40_000).collect()
}

/// One to four files next to each other in `corpus`, broken.
fn broken(corpus: &[Vec<u8>], random: &mut Rng) -> Vec<Vec<u8>> {
    let from = random.usize(..corpus.len());
    let some = corpus[from..].iter().take(random.usize(1..=4));
    some.map(|file| {
        let other = &corpus[random.usize(..corpus.len())];
        let (text, other) = (without_header(file), without_header(other));
        // Most stay valid: what is no SQL is not looked into any further.
        match random.u8(..8) {
            0..4 => by_names(&text, &other, random).into_bytes(),
            4 | 5 => by_statements(&text, &other, random).into_bytes(),
            6 => by_tokens(&text, &other, random).into_bytes(),
            _ => by_bytes(text.into_bytes(), random),
        }
    })
    .collect()
}

/// Dependencies on what is not there would be all that is found.
fn without_header(file: &[u8]) -> String {
    let text = String::from_utf8_lossy(file);
    text.lines().filter(|line| !line.starts_with("-- @")).flat_map(|line| [line, "\n"]).collect()
}

/// The tokens of `text`, as they are written.
fn pieces(text: &str) -> Vec<&str> {
    lex(text).tokens.iter().map(|token| token.text(text)).collect()
}

/// Names and strings changed for others.
fn by_names(text: &str, other: &str, random: &mut Rng) -> String {
    let counts = |piece: &&str| {
        piece.len() > 2 && piece.starts_with(['_', '"', '\''])
            || piece.contains('_') && !piece.contains(['-', '/', '$', '\'', '"'])
    };
    let names: Vec<_> = pieces(text).into_iter().chain(pieces(other)).filter(counts).collect();
    let often = random.u32(1..20);
    let one = |piece| match counts(&piece) && random.u32(..often) == 0 {
        true => names[random.usize(..names.len())],
        false => piece,
    };
    pieces(text).into_iter().map(one).collect()
}

/// Statements left out, in another order, or taken from elsewhere.
fn by_statements(text: &str, other: &str, random: &mut Rng) -> String {
    let mut all: Vec<_> = statements(text).chain(statements(other)).collect();
    random.shuffle(&mut all);
    all.truncate(random.usize(1..=all.len().max(1)));
    all.concat()
}

/// `text` cut behind each statement.
fn statements(text: &str) -> impl Iterator<Item = String> {
    let tokens = pieces(text);
    let parts: Vec<_> = tokens.split_inclusive(|piece| *piece == ";").collect();
    parts.into_iter().map(<[&str]>::concat).collect::<Vec<_>>().into_iter()
}

/// Some tokens lost, doubled, swapped, cut off, or taken from elsewhere.
fn by_tokens(text: &str, other: &str, random: &mut Rng) -> String {
    let (mut parts, others) = (pieces(text), pieces(other));
    for _ in 0..random.usize(..12) {
        if parts.is_empty() || others.is_empty() {
            break;
        }
        let (one, two) = (random.usize(..parts.len()), random.usize(..parts.len()));
        let from = random.usize(..others.len());
        let to = others.len().min(from + random.usize(1..40));
        match random.u8(..7) {
            0 => drop(parts.remove(one)),
            1 => parts.insert(two, parts[one]),
            2 => parts.swap(one, two),
            3 => parts.truncate(one.max(1)),
            4 => parts[one] = others[from],
            5 => drop(parts.splice(one..one, others[from..to].iter().copied())),
            _ => drop(parts.drain(one.min(two)..one.max(two).min(one.min(two) + 20))),
        }
    }
    parts.concat()
}

fn by_bytes(mut bytes: Vec<u8>, random: &mut Rng) -> Vec<u8> {
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=bytes.len());
        match random.u8(..3) {
            0 => bytes.insert(at, random.u8(..)),
            1 => bytes.splice(at..at, b"$$'\"((/*".iter().copied()).for_each(drop),
            _ if at < bytes.len() => bytes[at] = random.u8(..),
            _ => {}
        }
    }
    bytes
}

fn assert_inside(diagnostic: &Diagnostic) {
    for place in diagnostic.place.iter().chain(&diagnostic.related) {
        let Some(span) = place.span else { continue };
        assert!(place.source.text().get(span.start..span.end).is_some(), "{place:?}");
    }
}

/// `validate` and `infer` over `files`, each behind the one before it or on its own.
fn survive(files: &[Vec<u8>], unlisted: Unlisted) -> usize {
    on_large_stack(|| {
        let parsed = files.iter().enumerate().map(|(place, bytes)| {
            parse(format!("{place:04}.sql").into(), bytes.clone(), Depth::Meaning)
        });
        let set = settle(parsed.collect(), unlisted);
        set.diagnostics.iter().for_each(assert_inside);
        let Ok(graph) = graph::build(set.migrations, &set.broken) else { return 0 };
        let number = set.readings.len();
        let analysis = Analysis::new(&graph, set.readings);
        findings(&graph, &analysis).iter().for_each(assert_inside);
        for strictness in [Strictness::Strict, Strictness::Relaxed] {
            infer(analysis.footprints(), strictness);
        }
        number
    })
}

/// Leaves the files of a seed where they can be looked at.
fn keep(name: &str, files: &[Vec<u8>]) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
    drop(fs::remove_dir_all(&dir));
    fs::create_dir_all(&dir).unwrap();
    for (place, bytes) in files.iter().enumerate() {
        fs::write(dir.join(format!("{place:04}.sql")), bytes).unwrap();
    }
    dir
}

#[test]
fn broken_migrations_are_survived() {
    let corpus = corpus();
    let mut seed = number("MIGRAPH_FUZZ_SEED").unwrap_or(0);
    let (mut bytes, mut understood, mut slowest) = (0, 0, Duration::ZERO);
    let begin = Instant::now();
    let end = number("MIGRAPH_FUZZ").map(Duration::from_secs);
    let goes_on = |seed| match end {
        Some(end) => begin.elapsed() < end,
        None => setting("MIGRAPH_FUZZ_SEED").is_none() && seed < SEEDS,
    };
    loop {
        let mut random = Rng::with_seed(seed);
        let files = broken(&corpus, &mut random);
        let unlisted = if random.bool() { Unlisted::Chain } else { Unlisted::Nothing };
        if end.is_some() {
            // What overflows the stack leaves nobody to write it down.
            keep("last", &files);
        }
        let started = Instant::now();
        let one = catch_unwind(AssertUnwindSafe(|| survive(&files, unlisted)));
        let time = started.elapsed();
        if one.is_err() || time > LIMIT {
            let dir = keep(&seed.to_string(), &files);
            eprintln!("seed {seed}, in {}", dir.display());
            assert!(time <= LIMIT, "seed {seed} took {time:?}");
        }
        if let Err(panic) = one {
            resume_unwind(panic);
        }
        understood += one.unwrap_or(0);
        bytes += files.iter().map(Vec::len).sum::<usize>();
        slowest = slowest.max(time);
        seed += 1;
        if !goes_on(seed) {
            break;
        }
    }
    eprintln!(
        "up to seed {seed}, {understood} files understood, {bytes} bytes, slowest {slowest:?}"
    );
}
