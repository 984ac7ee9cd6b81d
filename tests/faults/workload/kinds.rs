//! One function for each kind of migration.

use super::{Draft, File, SHARED, Table, own};

/// Reads a setting that older servers lack without failing on them. A backend with
/// this works on when its client is gone, and commits unseen.
const UNSEEN: &str = "SELECT set_config(name, '0', true) FROM pg_settings WHERE name = 'client_connection_check_interval';\n";

impl Draft<'_> {
    /// A table with rows, which others work on.
    pub(super) fn table(&mut self) {
        let (file, number) = (self.next(), self.tables.len());
        let name = format!("m{file:03}");
        let rows = [300, 3_000, 20_000][self.rng.usize(0..3)];
        let sql = format!(
            "CREATE TABLE t{number} (id int PRIMARY KEY, a int NOT NULL, b int, c text);\n\
             INSERT INTO t{number} SELECT g, 1 + g % 200, g * 7 % 1000, md5(g::text) FROM generate_series(1, {rows}) g;\n\
             CREATE INDEX t{number}_old ON t{number} (c);\n{}{}{SHARED}",
            self.nap(),
            own(&name),
        );
        self.add("table", &[], File { sql, counters: vec![name], ..File::default() });
        let (strong, concurrent) = Default::default();
        self.tables.push(Table { file, strong, concurrent });
    }

    pub(super) fn one_more(&mut self) {
        match self.rng.u8(0..22) {
            0..=1 => self.plain(),
            2..=4 => self.crosswise(),
            5 => self.contended(),
            6 => self.race(),
            7 => self.unseen(),
            8 => self.writer(),
            9 => self.copy(),
            10..=11 => self.segments(),
            12 => self.chain(),
            _ => self.bare(),
        }
    }

    fn bare(&mut self) {
        match self.rng.u8(0..14) {
            0..=2 => self.index(),
            12..=13 => self.session(),
            3 => self.drop_index(),
            4..=5 => self.reindex(),
            6..=7 if self.version >= 14 => self.detach(),
            8 => self.undecided(),
            9 => self.vacuum(),
            _ => self.mixed(),
        }
    }

    /// A name for the next file's counter.
    fn name(&self) -> String {
        format!("m{:03}", self.next())
    }

    fn counting(&mut self, kind: &str, needs: &[usize], sql: String) {
        let counters = vec![self.name()];
        self.add(kind, needs, File { sql, counters, ..File::default() });
    }

    fn plain(&mut self) {
        let name = self.name();
        let (before, behind, mishap) = (self.nap(), self.nap(), self.mishap());
        let sql = format!(
            "CREATE TABLE of_{name} (i int);\n{before}{}{behind}{mishap}{SHARED}",
            own(&name)
        );
        self.counting("plain", &[], sql);
    }

    /// Two migrations that take the same two locks in opposite order.
    fn crosswise(&mut self) {
        let x = self.some_table();
        let y = (x + 1 + self.rng.usize(0..self.tables.len() - 1)) % self.tables.len();
        let needs = [self.tables[x].file, self.tables[y].file];
        for (first, second) in [(x, y), (y, x)] {
            let (name, index) = (self.name(), self.next());
            let key = |of: usize, to: usize, what: &str| {
                format!(
                    "ALTER TABLE t{of} ADD CONSTRAINT {what}_{name} FOREIGN KEY (a) REFERENCES t{to} (id);\n"
                )
            };
            let sql = format!(
                "{}{}{}{}{SHARED}",
                key(first, second, "there"),
                self.nap(),
                key(second, first, "back"),
                own(&name)
            );
            self.tables[x].strong.insert(index);
            self.tables[y].strong.insert(index);
            self.counting("crosswise", &needs, sql);
        }
    }

    /// Holds the row that all others want.
    fn contended(&mut self) {
        let name = self.name();
        let sql = format!("{SHARED}{}{}{}", self.nap(), self.mishap(), own(&name));
        self.counting("contended", &[], sql);
    }

    /// Changes rows of the catalogue that others of its kind change too.
    fn race(&mut self) {
        let name = self.name();
        let sql = format!(
            "CREATE SCHEMA IF NOT EXISTS extra;\nCREATE OR REPLACE FUNCTION extra.f() RETURNS int LANGUAGE sql AS 'SELECT 1';\n\
             GRANT SELECT ON counters TO PUBLIC;\n{}{}{SHARED}",
            self.nap(),
            own(&name)
        );
        self.counting("race", &[], sql);
    }

    fn unseen(&mut self) {
        let name = self.name();
        let sql = format!("{UNSEEN}{}{}{SHARED}", own(&name), self.nap());
        self.counting("unseen", &[], sql);
    }

    /// Writes to a table for a while. What is done to it `CONCURRENTLY` waits for that.
    fn writer(&mut self) {
        let (name, number) = (self.name(), self.some_table());
        let (id, needs) = (100_000 + self.next(), [self.tables[number].file]);
        let sql = format!(
            "INSERT INTO t{number} VALUES ({id}, 1, 1, '{name}');\n{}{}{SHARED}",
            self.nap(),
            own(&name)
        );
        self.counting("writer", &needs, sql);
    }

    fn copy(&mut self) {
        let name = self.name();
        let rows = self.rng.usize(1..400);
        let data: Vec<_> = (0..rows).map(|k| format!("{name}\t{k}")).collect();
        let data = data.join("\n");
        let sql = format!(
            "{}COPY copied FROM stdin;\n{data}\n\\.\n{}{}{SHARED}",
            own(&name),
            self.nap(),
            self.mishap()
        );
        let file = File { sql, counters: vec![name], copied: rows, ..File::default() };
        self.add("copy", &[], file);
    }

    /// Several transactions of its own, one of them perhaps with a COPY.
    fn segments(&mut self) {
        let name = self.name();
        let count = self.rng.usize(2..5);
        let counters: Vec<_> = (1..=count).map(|part| format!("{name}.{part}")).collect();
        let copies = self.rng.bool();
        let segment = |(at, counter): (usize, &String)| {
            let copy = match copies && at == 1 {
                true => format!("COPY copied FROM stdin;\n{name}\t0\n\\.\n"),
                false => String::new(),
            };
            let (nap, mishap) = (self.nap(), self.mishap());
            format!("BEGIN;\n{}{copy}{nap}{mishap}{SHARED}COMMIT;\n", own(counter))
        };
        let sql = counters.iter().enumerate().map(segment).collect::<Vec<_>>().concat();
        let file = File { sql, counters, copied: usize::from(copies), ..File::default() };
        self.add("segments", &[], file);
    }

    fn chain(&mut self) {
        let name = self.name();
        let counters: Vec<_> = (1..=3).map(|part| format!("{name}.{part}")).collect();
        let parts: Vec<_> = (counters.iter())
            .map(|counter| format!("{}{}{SHARED}", own(counter), self.nap()))
            .collect();
        let sql = format!("BEGIN;\n{}COMMIT;\n", parts.join("COMMIT AND CHAIN;\n"));
        self.add("chain", &[], File { sql, counters, ..File::default() });
    }

    /// The next file works on table `number` `CONCURRENTLY`.
    fn concurrently(&mut self, number: usize) -> usize {
        let index = self.next();
        let table = &mut self.tables[number];
        table.concurrent.insert(index);
        table.file
    }

    /// The definition of the index `i_<name>` on some table, and who made the table.
    fn some_index(&mut self) -> (String, usize) {
        let number = self.some_table();
        let file = self.concurrently(number);
        let unique = if self.rng.u8(0..4) == 0 { "UNIQUE " } else { "" };
        let part = if self.rng.u8(0..4) == 0 { " WHERE b > 10" } else { "" };
        let not_exists = if self.rng.u8(0..3) == 0 { "" } else { " IF NOT EXISTS" };
        let columns = if unique.is_empty() { "b, c" } else { "id, b" };
        let name = self.name();
        let sql = format!(
            "CREATE {unique}INDEX CONCURRENTLY{not_exists} i_{name} ON t{number} ({columns}){part};\n"
        );
        (sql, file)
    }

    fn index(&mut self) {
        let (sql, file) = self.some_index();
        self.add("index", &[file], File { sql, ..File::default() });
    }

    fn drop_index(&mut self) {
        let number = self.some_table();
        let file = self.concurrently(number);
        let sql = format!("DROP INDEX CONCURRENTLY IF EXISTS t{number}_old;\n");
        self.add("drop_index", &[file], File { sql, ..File::default() });
    }

    fn reindex(&mut self) {
        let number = self.some_table();
        let file = self.concurrently(number);
        let sql = format!("REINDEX INDEX CONCURRENTLY t{number}_pkey;\n");
        self.add("reindex", &[file], File { sql, ..File::default() });
    }

    /// A partitioned table, one that reads it for a while, and one that takes a
    /// partition off, which waits for that.
    fn detach(&mut self) {
        let (file, name) = (self.next(), self.name());
        let sql = format!(
            "CREATE TABLE p_{name} (id int NOT NULL, k int) PARTITION BY RANGE (id);\n\
             CREATE TABLE p_{name}_1 PARTITION OF p_{name} FOR VALUES FROM (0) TO (500);\n\
             CREATE TABLE p_{name}_2 PARTITION OF p_{name} FOR VALUES FROM (500) TO (1000);\n\
             INSERT INTO p_{name} SELECT g, g FROM generate_series(0, 999) g;\n{}{SHARED}",
            own(&name)
        );
        self.counting("parts", &[], sql);
        let (reader, nap) = (self.name(), self.nap());
        let sql = format!("SELECT count(*) FROM p_{name};\n{nap}{}{SHARED}", own(&reader));
        self.counting("reader", &[file], sql);
        let sql = format!("ALTER TABLE p_{name} DETACH PARTITION p_{name}_2 CONCURRENTLY;\n");
        self.add("detach", &[file], File { sql, ..File::default() });
    }

    /// A statement that commits in its middle: only the data tell whether it did.
    fn undecided(&mut self) {
        let name = self.name();
        let counters = vec![format!("{name}.1"), format!("{name}.2")];
        let work =
            format!("{}PERFORM nap(0.1);\n{SHARED}COMMIT; PERFORM nap(0.1);", own(&counters[0]));
        let behind = format!("BEGIN;\n{}{SHARED}COMMIT;\n", own(&counters[1]));
        let counted = format!("EXISTS (SELECT FROM counters WHERE name = '{}')", counters[0]);
        let (sql, witnesses) = match self.rng.bool() {
            true => (format!("DO $$ BEGIN\n{work}\nEND $$;\n{behind}"), vec![counted]),
            false => (
                format!(
                    "{behind}CREATE PROCEDURE do_{name}() LANGUAGE plpgsql AS $$ BEGIN\n{work}\nEND $$;\nCALL do_{name}();\n"
                ),
                vec![format!("to_regprocedure('do_{name}()') IS NOT NULL"), counted],
            ),
        };
        // The segment before the procedure has two statements.
        let first = if witnesses.len() == 1 { 1 } else { 3 };
        let file = File {
            header: "-- @transaction: never\n",
            sql,
            counters,
            witnesses: (first..).zip(witnesses).collect(),
            ..File::default()
        };
        self.add("undecided", &[], file);
    }

    fn vacuum(&mut self) {
        let number = self.some_table();
        let file = self.concurrently(number);
        let sql = format!("VACUUM t{number};\n");
        self.add("vacuum", &[file], File { sql, ..File::default() });
    }

    /// A table that is another one without a setting that no statement names.
    fn session(&mut self) {
        let name = self.name();
        let sql = format!(
            "BEGIN;\nCREATE TABLE d_{name} (n int);\nCREATE SCHEMA s_{name};\nCREATE TABLE s_{name}.d_{name} (n int);\nCOMMIT;\n\
             DO $$ BEGIN PERFORM set_config('search_path', 's_{name}, public', false); END $$;\n\
             CREATE INDEX CONCURRENTLY i_{name} ON d_{name} (n);\n{}\
             INSERT INTO counters SELECT '{name}', 1 FROM pg_class\n\
                 WHERE oid = 'd_{name}'::regclass AND relnamespace = 's_{name}'::regnamespace;\n{SHARED}",
            self.nap(),
        );
        let file = File { sql, counters: vec![name], only_settings: Some(4), ..File::default() };
        self.add("session", &[], file);
    }

    /// Rows, an index and rows again, under a setting that must hold to the end.
    fn mixed(&mut self) {
        let name = self.name();
        let counters = vec![format!("{name}.1"), format!("{name}.2")];
        let (index, file) = self.some_index();
        let sql = format!(
            "SET work_mem = '7MB';\n{}{SHARED}{index}\
             INSERT INTO counters SELECT '{}', 1 WHERE current_setting('work_mem') = '7MB';\n{SHARED}",
            own(&counters[0]),
            counters[1],
        );
        self.add("mixed", &[file], File { sql, counters, ..File::default() });
    }
}
