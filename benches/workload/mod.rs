//! Migration sets for the benches, the same on every machine.

#![allow(dead_code, reason = "each bench uses a part of this")]

use std::fs;
use std::path::{Path, PathBuf};

/// One migration file.
pub(crate) struct File {
    pub(crate) id: String,
    pub(crate) text: String,
    /// The up section of it.
    pub(crate) up: String,
}

/// Small files with a full header, each depending on up to three of the five
/// percent before it: as deep and as wide as long histories are.
pub(crate) fn headers(count: usize) -> Vec<File> {
    let mut random = Random(4);
    let id = |at: usize| format!("{at:06}_step");
    let file = |at: usize| {
        let oldest = at.saturating_sub(count / 20 + 1).max(1);
        let wanted = if at > 50 { [0, 1, 1, 1, 2, 2, 3][random.below(7)] } else { 0 };
        let mut dependencies: Vec<_> =
            (0..wanted).map(|_| oldest + random.below((at - 9).saturating_sub(oldest))).collect();
        dependencies.sort_unstable();
        dependencies.dedup();
        let needs: Vec<_> = dependencies.into_iter().map(id).collect();
        let up = format!("CREATE TABLE p{at} (id integer PRIMARY KEY);\n");
        File { text: text(at, &needs, &up, &format!("DROP TABLE p{at};\n")), id: id(at), up }
    };
    (1..=count).map(file).collect()
}

/// Small tables with foreign keys and an index each, in `depth` layers.
pub(crate) fn small_tables(count: usize, depth: usize) -> Vec<File> {
    let table = |at: usize| format!("t{at:05}");
    layered(count, depth, |at, needs| {
        let table_name = table(at);
        let key = |other: &usize| format!(",\n  {0}_id bigint REFERENCES {0} (id)", table(*other));
        let keys = needs.iter().map(key).collect::<Vec<_>>().concat();
        let up = format!(
            "CREATE TABLE {table_name} (\n  id bigserial PRIMARY KEY,\n  tenant_id integer NOT NULL DEFAULT 0,\n  \
             name text NOT NULL,\n  amount numeric(12,2),\n  created_at timestamptz NOT NULL DEFAULT now(){keys}\n);\n\
             CREATE INDEX {table_name}_tenant_idx ON {table_name} (tenant_id, created_at);\n"
        );
        (up, format!("DROP TABLE {table_name};\n"))
    })
}

/// The smallest tables, in `depth` layers.
pub(crate) fn tables(count: usize, depth: usize) -> Vec<File> {
    layered(count, depth, |at, _| {
        (format!("CREATE TABLE t{at:05} (id integer);\n"), format!("DROP TABLE t{at:05};\n"))
    })
}

/// Migrations that wait for 50 ms and create a table, in `depth` layers.
pub(crate) fn sleeps(count: usize, depth: usize) -> Vec<File> {
    layered(count, depth, |at, _| {
        let up = format!("SELECT pg_sleep(0.05);\nCREATE TABLE t{at:05} (id integer);\n");
        (up, format!("DROP TABLE t{at:05};\n"))
    })
}

/// Writes `files` into `dir`.
pub(crate) fn write(dir: &Path, files: &[File]) -> std::io::Result<()> {
    files.iter().try_for_each(|file| fs::write(path(dir, file), &file.text))
}

/// Where [`write`] puts a file.
pub(crate) fn path(dir: &Path, file: &File) -> PathBuf {
    dir.join(&file.id).with_extension("sql")
}

/// `depth` layers, the middle ones the widest; every migration behind the first
/// layer needs one of the layer before it, and half of them one more.
fn layered(
    count: usize,
    depth: usize,
    mut script: impl FnMut(usize, &[usize]) -> (String, String),
) -> Vec<File> {
    let mut random = Random(1);
    let id = |at: usize| format!("{at:05}_step");
    let mut files = Vec::with_capacity(count);
    let mut before = 0..0;
    for size in widths(count, depth) {
        let layer = files.len()..files.len() + size;
        for at in layer.clone() {
            let mut needs = Vec::new();
            for _ in 0..=usize::from(random.below(2) == 0) {
                if !before.is_empty() {
                    needs.push(before.start + random.below(before.len()));
                }
            }
            needs.sort_unstable();
            needs.dedup();
            let (up, down) = script(at, &needs);
            let needs: Vec<_> = needs.into_iter().map(id).collect();
            files.push(File { text: text(at, &needs, &up, &down), id: id(at), up });
        }
        before = layer;
    }
    files
}

/// How wide each layer is; together `count`.
fn widths(count: usize, depth: usize) -> Vec<usize> {
    let weight = |layer: usize| 10 + 12 * layer.min(depth - 1 - layer) / depth;
    let all: usize = (0..depth).map(weight).sum();
    let mut widths: Vec<_> = (0..depth).map(|layer| (count * weight(layer) / all).max(1)).collect();
    let given: usize = widths.iter().sum();
    widths[depth / 2] += count.saturating_sub(given);
    widths
}

fn text(at: usize, needs: &[String], up: &str, down: &str) -> String {
    format!(
        "-- @name: Step {at}\n-- @description: generated, number {at}\n-- @timestamp: 2024-01-01T00:00:00Z\n\
         -- @rollbackSafe: true\n-- @performanceImpact: low\n-- @dependencies: [{}]\n\n\
         -- UP MIGRATION\n{up}\n-- DOWN MIGRATION\n{down}",
        needs.join(", ")
    )
}

/// `SplitMix64`: <https://prng.di.unimi.it/splitmix64.c>.
struct Random(u64);

impl Random {
    /// A number below `limit`; 0 when that is 0.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).unwrap_or(0) % limit.max(1)
    }
}
