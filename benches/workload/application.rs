//! A history as an application's.

use super::{File, Random, text};

/// What an application's history looks like, every file with all that it needs
/// declared: tables with foreign keys and indexes, columns and indexes added later,
/// functions, triggers, views, rows, changed types. Most of it is about the tables of
/// the last while; some tables everybody refers to.
pub(crate) fn application(count: usize) -> Vec<File> {
    let mut history = History { random: Random(7), tables: Vec::new() };
    (0..count).map(|at| history.next(at)).collect()
}

/// A history while it is made: its tables are those of the files with these numbers.
struct History {
    random: Random,
    tables: Vec<usize>,
}

impl History {
    /// So many tables everybody refers to.
    const HOT: usize = 10;
    /// So many tables are being worked on.
    const RECENT: usize = 100;

    fn next(&mut self, at: usize) -> File {
        let kind = if self.tables.len() < Self::HOT { 0 } else { self.random.below(20) };
        let (mut needs, up, down) = match kind {
            0..7 => self.create(at),
            7..11 => self.add_column(at),
            11..14 => self.add_index(at),
            14 => self.view(at),
            15 | 16 => self.function(at),
            17 => self.trigger(at),
            18 => Self::rows(at),
            _ => self.change(at),
        };
        needs.sort_unstable();
        needs.dedup();
        let id = |at: &usize| format!("{at:06}_step");
        let needs: Vec<_> = needs.iter().map(id).collect();
        File { text: text(at, &needs, &up, &down), id: id(&at), up }
    }

    /// The file that made some table.
    fn table(&mut self) -> usize {
        let made = self.tables.len();
        let recent = made.saturating_sub(Self::RECENT);
        match self.random.below(10) {
            0 => self.tables[self.random.below(Self::HOT.min(made))],
            _ => self.tables[recent + self.random.below(made - recent)],
        }
    }

    fn create(&mut self, at: usize) -> (Vec<usize>, String, String) {
        let keys = self.random.below(3).min(self.tables.len());
        let needs: Vec<usize> = (0..keys).map(|_| self.table()).collect();
        let key = |(number, other): (usize, &usize)| {
            format!(
                ",\n  ref{number}_id bigint NOT NULL REFERENCES t{other:06} (id) ON DELETE CASCADE"
            )
        };
        let foreign: String = needs.iter().enumerate().map(key).collect();
        let up = format!(
            "CREATE TABLE t{at:06} (\n  id bigserial PRIMARY KEY,\n  tenant_id integer NOT NULL DEFAULT 0,\n  \
             name text NOT NULL CHECK (length(name) > 0),\n  amount numeric(12,2),\n  state text NOT NULL DEFAULT 'new',\n  \
             created_at timestamptz NOT NULL DEFAULT now(),\n  updated_at timestamptz{foreign},\n  UNIQUE (tenant_id, name)\n);\n\
             CREATE INDEX t{at:06}_tenant_idx ON t{at:06} (tenant_id, created_at DESC);\n\
             COMMENT ON TABLE t{at:06} IS 'number {at}';\n"
        );
        self.tables.push(at);
        (needs, up, format!("DROP TABLE t{at:06};\n"))
    }

    fn add_column(&mut self, at: usize) -> (Vec<usize>, String, String) {
        let table = self.table();
        let up = format!(
            "ALTER TABLE t{table:06} ADD COLUMN extra{at} integer NOT NULL DEFAULT 0,\n  \
             ADD COLUMN note{at} text;\n"
        );
        let down =
            format!("ALTER TABLE t{table:06} DROP COLUMN extra{at}, DROP COLUMN note{at};\n");
        (vec![table], up, down)
    }

    fn add_index(&mut self, at: usize) -> (Vec<usize>, String, String) {
        let table = self.table();
        let up = format!(
            "CREATE INDEX i{at:06} ON t{table:06} (state, amount) WHERE state <> 'done';\n"
        );
        (vec![table], up, format!("DROP INDEX i{at:06};\n"))
    }

    fn view(&mut self, at: usize) -> (Vec<usize>, String, String) {
        let (one, other) = (self.table(), self.table());
        let up = format!(
            "CREATE VIEW v{at:06} AS\n  SELECT a.id, a.name, b.amount, sum(b.amount) OVER (PARTITION BY a.tenant_id) AS total\n  \
             FROM t{one:06} a LEFT JOIN t{other:06} b ON b.tenant_id = a.tenant_id\n  WHERE a.state = 'new' AND b.created_at > now() - interval '1 day';\n"
        );
        (vec![one, other], up, format!("DROP VIEW v{at:06};\n"))
    }

    fn function(&mut self, at: usize) -> (Vec<usize>, String, String) {
        let table = self.table();
        let up = format!(
            "CREATE FUNCTION f{at:06}(wanted integer) RETURNS numeric LANGUAGE plpgsql STABLE AS $$\nDECLARE\n  total numeric := 0;\nBEGIN\n  \
             IF wanted IS NULL THEN\n    RAISE EXCEPTION 'no tenant';\n  END IF;\n  \
             SELECT sum(amount) INTO total FROM t{table:06} WHERE tenant_id = wanted;\n  RETURN coalesce(total, 0);\nEND\n$$;\n"
        );
        (vec![table], up, format!("DROP FUNCTION f{at:06};\n"))
    }

    fn trigger(&mut self, at: usize) -> (Vec<usize>, String, String) {
        let table = self.table();
        let up = format!(
            "CREATE FUNCTION touch{at:06}() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n  NEW.updated_at := now();\n  RETURN NEW;\nEND\n$$;\n\
             CREATE TRIGGER touch{at:06} BEFORE UPDATE ON t{table:06} FOR EACH ROW EXECUTE FUNCTION touch{at:06}();\n"
        );
        let down =
            format!("DROP TRIGGER touch{at:06} ON t{table:06};\nDROP FUNCTION touch{at:06};\n");
        (vec![table], up, down)
    }

    fn rows(at: usize) -> (Vec<usize>, String, String) {
        let row = |number: usize| format!("  ('code {number}', 'what {number} means', {number}.5)");
        let rows: Vec<_> = (0..10).map(row).collect();
        let up = format!(
            "CREATE TABLE r{at:06} (code text PRIMARY KEY, label text NOT NULL, weight numeric);\n\
             INSERT INTO r{at:06} (code, label, weight) VALUES\n{};\n",
            rows.join(",\n")
        );
        (Vec::new(), up, format!("DROP TABLE r{at:06};\n"))
    }

    fn change(&mut self, at: usize) -> (Vec<usize>, String, String) {
        let table = self.table();
        let up = format!(
            "ALTER TABLE t{table:06} ADD CONSTRAINT c{at:06} CHECK (amount >= 0) NOT VALID;\n\
             ALTER TABLE t{table:06} VALIDATE CONSTRAINT c{at:06};\n"
        );
        (vec![table], up, format!("ALTER TABLE t{table:06} DROP CONSTRAINT c{at:06};\n"))
    }
}
