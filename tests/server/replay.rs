//! The symbolic catalogue against a server's: after the same scripts, both know the
//! same tables, columns, constraints, indexes, types and functions.
//!
//! `MIGRAPH_HISTORY=DIR cargo test --test server replay` does it with the plain
//! `*.sql` files of any directory, in the order of their names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use migraph::sql::{Catalogue, Kind, read};
use migraph::syntax::{on_large_stack, parse};

use super::harness::{Database, block_on, connect, database};

/// The names in `pg_catalog`, as the symbolic catalogue writes them; nothing that
/// came with an extension.
const NAMES: &str = "
WITH n AS (SELECT oid, nspname FROM pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND nspname !~ '^pg_(temp|toast_temp)'),
ext AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
SELECT CASE relkind WHEN 'f' THEN 'foreign table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
    WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' ELSE 'table' END || ' ' || nspname || '.' || relname
    FROM pg_class c JOIN n ON n.oid = relnamespace WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'i', 'I')
    AND NOT EXISTS (SELECT FROM ext WHERE classid = 'pg_class'::regclass AND objid = c.oid)
UNION ALL SELECT 'column ' || nspname || '.' || relname || '.' || attname FROM pg_attribute
    JOIN pg_class c ON c.oid = attrelid JOIN n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'f', 'v', 'm') AND attnum > 0 AND NOT attisdropped
    AND NOT EXISTS (SELECT FROM ext WHERE classid = 'pg_class'::regclass AND objid = c.oid)
UNION ALL SELECT 'constraint ' || nspname || '.' || relname || '.' || conname FROM pg_constraint
    JOIN pg_class c ON c.oid = conrelid JOIN n ON n.oid = relnamespace WHERE contype NOT IN ('t', 'n')
UNION ALL SELECT DISTINCT 'function ' || nspname || '.' || proname FROM pg_proc p JOIN n ON n.oid = pronamespace
    WHERE NOT EXISTS (SELECT FROM ext WHERE classid = 'pg_proc'::regclass AND objid = p.oid)
UNION ALL SELECT 'type ' || nspname || '.' || typname FROM pg_type t JOIN n ON n.oid = typnamespace
    WHERE (typtype IN ('e', 'd') OR typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE oid = typrelid AND relkind = 'c'))
    AND NOT EXISTS (SELECT FROM ext WHERE classid = 'pg_type'::regclass AND objid = t.oid)
UNION ALL SELECT 'enum value ' || nspname || '.' || typname || '.' || enumlabel FROM pg_enum
    JOIN pg_type t ON t.oid = enumtypid JOIN n ON n.oid = typnamespace
UNION ALL SELECT 'trigger ' || nspname || '.' || relname || '.' || tgname FROM pg_trigger
    JOIN pg_class c ON c.oid = tgrelid JOIN n ON n.oid = relnamespace WHERE NOT tgisinternal
UNION ALL SELECT 'policy ' || nspname || '.' || relname || '.' || polname FROM pg_policy
    JOIN pg_class c ON c.oid = polrelid JOIN n ON n.oid = relnamespace
UNION ALL SELECT 'extension ' || extname FROM pg_extension WHERE extname <> 'plpgsql'
UNION ALL SELECT 'schema ' || nspname FROM n";

const KINDS: [Kind; 14] = [
    Kind::Table,
    Kind::ForeignTable,
    Kind::View,
    Kind::MaterializedView,
    Kind::Sequence,
    Kind::Index,
    Kind::Column,
    Kind::Constraint,
    Kind::Routine,
    Kind::Type,
    Kind::EnumValue,
    Kind::Trigger,
    Kind::Policy,
    Kind::Extension,
];

/// The script that is run of a file, with or without a header.
fn up(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.split("\n-- DOWN MIGRATION").next().unwrap().to_owned()
}

fn symbolic(files: &[PathBuf]) -> BTreeSet<String> {
    on_large_stack(|| {
        let mut catalogue = Catalogue::default();
        for file in files {
            let footprint = catalogue.replay(&read(&parse(&up(file)).unwrap()));
            assert!(footprint.is_clear(), "{}: {:?}", file.display(), footprint.opaque());
        }
        let of_extension =
            |id| catalogue.owner(id).is_some_and(|owner| catalogue.kind(owner) == Kind::Extension);
        let of_type =
            |id| catalogue.owner(id).is_some_and(|owner| catalogue.kind(owner) == Kind::Type);
        let wanted = |kind: Kind| KINDS.contains(&kind) || kind == Kind::Schema;
        catalogue
            .objects()
            .filter(|(id, kind, _)| wanted(*kind) && !of_extension(*id))
            .filter(|(id, kind, _)| {
                !(matches!(kind, Kind::Column | Kind::Constraint) && of_type(*id))
            })
            .map(|(_, kind, name)| format!("{} {name}", kind.as_str()))
            .collect()
    })
}

fn real(database: &Database, files: &[PathBuf]) -> BTreeSet<String> {
    let url = database.url();
    block_on(async {
        for file in files {
            // A session of its own for each, as each migration has.
            let client = connect(&url).await;
            if let Err(error) = client.batch_execute(&up(file)).await {
                panic!("{}: {error:?}", file.display());
            }
        }
    });
    database.sql(NAMES).lines().map(str::to_owned).collect()
}

fn compare(dir: &Path) {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|it| it == "sql")).collect();
    files.sort();
    let (ours, theirs) = (symbolic(&files), real(&database(), &files));
    let missing: Vec<_> = theirs.difference(&ours).collect();
    let extra: Vec<_> = ours.difference(&theirs).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing {missing:#?}, extra {extra:#?}");
    assert!(theirs.len() > 100, "{}", theirs.len());
}

#[test]
fn the_sample_ends_with_the_servers_catalogue() {
    compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations"));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the directory is whoever's runs the test")]
fn a_given_history_ends_with_the_servers_catalogue() {
    if let Some(dir) = std::env::var_os("MIGRAPH_HISTORY") {
        compare(Path::new(&dir));
    }
}
