//! The locks that a footprint predicts, against `pg_locks` of a real server.
//!
//! Each statement runs in a transaction on a prepared schema. Of every relation
//! that was there before, the strongest mode that the session then holds is what
//! the footprint says, no more and no less, unless a case says otherwise.

use std::collections::BTreeMap;

use migraph::sql::{Catalogue, Kind, LOCK_MODES, read};
use migraph::syntax::{on_large_stack, parse};

use super::harness::{Database, database};

const SCHEMA: &str = "
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE parent (id int PRIMARY KEY, code text UNIQUE, n int NOT NULL DEFAULT 0);
CREATE TABLE child (id serial PRIMARY KEY, parent_id int CONSTRAINT child_fk REFERENCES parent, m mood, v text CONSTRAINT v_check CHECK (v <> ''));
CREATE TABLE loose (id int, parent_id int, at timestamptz);
CREATE TABLE key (id int PRIMARY KEY);
CREATE TABLE pointer (id int CONSTRAINT pointer_fk REFERENCES key);
CREATE TABLE other (id int PRIMARY KEY);
ALTER TABLE loose ADD CONSTRAINT loose_fk FOREIGN KEY (parent_id) REFERENCES parent NOT VALID;
ALTER TABLE loose ADD CONSTRAINT loose_check CHECK (id > 0) NOT VALID;
CREATE INDEX child_v_idx ON child (v);
CREATE UNIQUE INDEX loose_id_key ON loose (id);
CREATE VIEW v AS SELECT id, code FROM parent;
CREATE MATERIALIZED VIEW mv AS SELECT id FROM parent;
CREATE UNIQUE INDEX mv_id_idx ON mv (id);
CREATE SEQUENCE s;
CREATE TABLE part (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE part_new (id int, at date);
CREATE TABLE base (id int);
CREATE TABLE derived (x int) INHERITS (base);
CREATE TABLE single (id int);
CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER tr BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION tf();
CREATE POLICY pol ON other USING (true);
CREATE RULE ru AS ON DELETE TO other DO INSTEAD NOTHING;
CREATE STATISTICS st ON id, parent_id FROM loose;
CREATE ROLE locks_reader;
";

/// Statements whose locks are predicted exactly.
const EXACT: &[&str] = &[
    "SELECT * FROM parent",
    "SELECT id FROM v",
    "SELECT id FROM parent FOR UPDATE",
    "SELECT count(*) FROM child c JOIN parent p ON p.id = c.parent_id",
    "WITH parent AS (SELECT 1 AS id) SELECT * FROM parent",
    "WITH parent AS (SELECT * FROM parent) SELECT * FROM parent",
    "INSERT INTO single VALUES (1)",
    "INSERT INTO other (id) VALUES (1) ON CONFLICT DO NOTHING",
    "UPDATE single SET id = 2",
    "DELETE FROM single",
    "WITH d AS (DELETE FROM single RETURNING *) SELECT * FROM d",
    "INSERT INTO single SELECT id FROM parent",
    "LOCK TABLE single IN SHARE MODE",
    "LOCK TABLE single",
    "TRUNCATE single",
    "TRUNCATE parent CASCADE",
    "COPY (SELECT id FROM parent) TO '/dev/null'",
    "CREATE TABLE n (id int)",
    "CREATE TABLE n (id int REFERENCES parent)",
    "CREATE TABLE n (a int, b text, FOREIGN KEY (b) REFERENCES parent (code), CHECK (a > 0))",
    "CREATE TABLE n (LIKE parent INCLUDING ALL)",
    "CREATE TABLE n (x int) INHERITS (base)",
    "CREATE TABLE n PARTITION OF part FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
    "CREATE TABLE n AS SELECT id FROM parent",
    "CREATE TABLE IF NOT EXISTS n (id int)",
    "CREATE TABLE n (m mood, p positive)",
    "CREATE INDEX ON loose (at)",
    "CREATE UNIQUE INDEX n ON single (id)",
    "CREATE INDEX n ON part (id)",
    "CREATE INDEX n ON loose ((id + 1)) WHERE id IS NOT NULL",
    "CREATE VIEW n AS SELECT id FROM parent",
    "CREATE OR REPLACE VIEW v AS SELECT id, code FROM parent",
    "CREATE MATERIALIZED VIEW n AS SELECT id FROM parent",
    "REFRESH MATERIALIZED VIEW mv",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY mv",
    "CREATE TRIGGER n BEFORE INSERT ON parent FOR EACH ROW EXECUTE FUNCTION tf()",
    "CREATE POLICY n ON parent USING (true)",
    "CREATE RULE n AS ON DELETE TO parent DO INSTEAD NOTHING",
    "CREATE STATISTICS n ON id, n FROM parent",
    "CREATE FUNCTION n() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SEQUENCE n",
    "SELECT nextval('s')",
    "CREATE POLICY reading ON single USING (EXISTS (SELECT FROM parent))",
    "COMMENT ON TABLE parent IS 'x'",
    "COMMENT ON COLUMN parent.code IS 'x'",
    "COMMENT ON TYPE mood IS 'x'",
    "COMMENT ON CONSTRAINT child_fk ON child IS 'x'",
    "COMMENT ON VIEW v IS 'x'",
    "ANALYZE parent",
    "REINDEX TABLE single",
    "ALTER TYPE mood ADD VALUE 'fine'",
    "ALTER TABLE parent ADD COLUMN x int",
    "ALTER TABLE parent ADD COLUMN x int DEFAULT 1 NOT NULL",
    "ALTER TABLE parent DROP COLUMN n",
    "ALTER TABLE single RENAME COLUMN id TO x",
    "ALTER TABLE single RENAME TO x",
    "ALTER TABLE parent ALTER COLUMN n SET DEFAULT 1",
    "ALTER TABLE parent ALTER COLUMN n DROP DEFAULT",
    "ALTER TABLE loose ALTER COLUMN at SET NOT NULL",
    "ALTER TABLE parent ALTER COLUMN n DROP NOT NULL",
    "ALTER TABLE loose ALTER COLUMN at TYPE text",
    "ALTER TABLE parent ALTER COLUMN n SET STATISTICS 100",
    "ALTER TABLE parent ALTER COLUMN code SET STORAGE EXTERNAL",
    "ALTER TABLE parent ALTER COLUMN n SET (n_distinct = 5)",
    "ALTER TABLE parent SET (fillfactor = 70)",
    "ALTER TABLE parent RESET (fillfactor)",
    "ALTER TABLE parent SET (autovacuum_enabled = off)",
    "ALTER TABLE loose ADD CONSTRAINT n FOREIGN KEY (id) REFERENCES other",
    "ALTER TABLE loose ADD CONSTRAINT n FOREIGN KEY (id) REFERENCES other NOT VALID",
    "ALTER TABLE loose ADD CONSTRAINT n CHECK (parent_id > 0)",
    "ALTER TABLE loose ADD CONSTRAINT n UNIQUE (at)",
    "ALTER TABLE loose ADD PRIMARY KEY (id)",
    "ALTER TABLE loose ADD CONSTRAINT n UNIQUE USING INDEX loose_id_key",
    "ALTER TABLE loose VALIDATE CONSTRAINT loose_fk",
    "ALTER TABLE loose VALIDATE CONSTRAINT loose_check",
    "ALTER TABLE child DROP CONSTRAINT v_check",
    "ALTER TABLE child DROP CONSTRAINT child_fk",
    "ALTER TABLE child RENAME CONSTRAINT child_fk TO n",
    "ALTER TABLE child ALTER CONSTRAINT child_fk DEFERRABLE",
    "ALTER TABLE child DISABLE TRIGGER tr",
    "ALTER TABLE child ENABLE TRIGGER ALL",
    "ALTER TABLE other DISABLE RULE ru",
    "ALTER TABLE single ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE single FORCE ROW LEVEL SECURITY",
    "ALTER TABLE single OWNER TO locks_reader",
    "ALTER TABLE single SET SCHEMA elsewhere",
    "ALTER TABLE single SET UNLOGGED",
    "ALTER TABLE single REPLICA IDENTITY FULL",
    "ALTER TABLE loose CLUSTER ON loose_id_key",
    "ALTER TABLE part ATTACH PARTITION part_new FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    "ALTER TABLE single INHERIT base",
    "ALTER TABLE base ADD COLUMN y int",
    "ALTER TABLE part ADD COLUMN y int",
    "ALTER VIEW v RENAME TO n",
    "ALTER VIEW v ALTER COLUMN code SET DEFAULT 'x'",
    "ALTER INDEX child_v_idx RENAME TO n",
    "ALTER INDEX child_v_idx SET (fillfactor = 70)",
    "ALTER SEQUENCE s RESTART",
    "ALTER SEQUENCE s OWNED BY single.id",
    "ALTER TRIGGER tr ON child RENAME TO n",
    "ALTER POLICY pol ON other USING (false)",
    "ALTER POLICY pol ON other RENAME TO n",
    "ALTER RULE ru ON other RENAME TO n",
    "DROP TABLE single",
    "DROP TABLE child",
    "DROP TABLE parent CASCADE",
    "DROP TABLE part",
    "DROP TABLE part_1",
    "DROP TABLE IF EXISTS nowhere",
    "DROP VIEW v",
    "DROP MATERIALIZED VIEW mv",
    "DROP INDEX child_v_idx",
    "DROP SEQUENCE s",
    "DROP TRIGGER tr ON child",
    "DROP POLICY pol ON other",
    "DROP RULE ru ON other",
    "DROP STATISTICS st",
    "DROP FUNCTION tf() CASCADE",
    "DROP TYPE mood CASCADE",
    "SELECT * INTO n FROM parent",
    "DO $$ BEGIN UPDATE single SET id = 3; END $$",
    "DO $$ BEGIN EXECUTE 'ALTER TABLE single ADD COLUMN x int'; END $$",
    "CLUSTER loose USING loose_id_key",
];

/// Statements whose locks are predicted, and more: rows decide which foreign keys
/// and triggers have something to do, and the footprint reckons with all.
const MORE: &[&str] = &[
    // Locked from 18 on.
    "GRANT SELECT ON parent TO locks_reader",
    // 13 locks the partition less.
    "ALTER TABLE part DETACH PARTITION part_1",
    "INSERT INTO child (parent_id) SELECT id FROM parent",
    "UPDATE child SET v = 'x'",
    "DELETE FROM child",
    "ALTER TABLE key ALTER COLUMN id TYPE bigint",
    "ALTER TABLE pointer ALTER COLUMN id TYPE bigint",
];

type Held = BTreeMap<String, String>;

fn predicted(statement: &str) -> Held {
    on_large_stack(|| {
        let mut catalogue = Catalogue::default();
        catalogue.replay(&read(&parse(SCHEMA).unwrap()));
        let before: Vec<_> = catalogue.objects().map(|(id, _, name)| (id, name)).collect();
        let footprint = catalogue.replay(&read(&parse(statement).unwrap()));
        assert!(footprint.is_clear(), "{statement}: {:?}", footprint.opaque());
        let locks = footprint.locks().filter_map(|(id, modes, _)| {
            let (_, name) = before.iter().find(|(known, _)| *known == id)?;
            let shown = catalogue.kind(id) != Kind::Index;
            let mode = modes.strongest().filter(|_| shown)?;
            Some((name.strip_prefix("public.")?.to_owned(), mode.as_str().to_owned()))
        });
        locks.collect()
    })
}

/// What the server's session holds behind the statement, by relation.
fn observed(database: &Database, statement: &str) -> Held {
    let sql = format!(
        "BEGIN; CREATE TEMP TABLE was ON COMMIT DROP AS SELECT oid, relname FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S');
         {statement};
         SELECT was.relname, l.mode FROM pg_locks l JOIN was ON was.oid = l.relation
            WHERE l.pid = pg_backend_pid() ORDER BY 1; ROLLBACK"
    );
    let mut held = Held::new();
    for line in database.sql(&sql).lines() {
        let Some((name, mode)) = line.split_once('|') else { continue };
        if strength(mode).is_none() {
            continue;
        }
        let known = held.entry(name.to_owned()).or_insert_with(|| mode.to_owned());
        if strength(mode) > strength(known) {
            mode.clone_into(known);
        }
    }
    held
}

/// The place among the modes, the weakest first; `None` for what is none of a table's.
fn strength(mode: &str) -> Option<usize> {
    LOCK_MODES.into_iter().position(|known| known.as_str() == mode)
}

fn prepared() -> Database {
    let database = database();
    database.sql("CREATE SCHEMA elsewhere");
    database.sql(SCHEMA);
    database
}

#[test]
fn locks_are_those_of_the_server() {
    let database = prepared();
    let mut wrong = Vec::new();
    for statement in EXACT {
        let (ours, theirs) = (predicted(statement), observed(&database, statement));
        if ours != theirs {
            wrong.push(format!("{statement}\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    for statement in MORE {
        let (ours, theirs) = (predicted(statement), observed(&database, statement));
        let strength = |held: &Held, name: &str| held.get(name).map(|mode| strength(mode));
        let covered = theirs.keys().all(|name| strength(&ours, name) >= strength(&theirs, name));
        if !covered {
            wrong.push(format!("{statement}\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
