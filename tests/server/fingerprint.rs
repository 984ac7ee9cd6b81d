//! Everything a schema and its data are, as text that two databases share when
//! they are the same. Names instead of OIDs, and no order but one of our own.

use super::harness::Database;

/// One query for each kind of object; each gives one text column. `{x}` asks that
/// `x` is a namespace of the user's.
const SCHEMA: &[&str] = &[
    "SELECT concat_ws('|', n.nspname, ' ', coalesce((SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(n.nspacl) a), '')) FROM pg_namespace n WHERE {n.oid}",
    "SELECT concat_ws('|', c.oid::regclass, ' ', c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity, ' ', coalesce((SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(c.relacl) a), ''), coalesce(obj_description(c.oid, 'pg_class'), ''), coalesce(pg_get_expr(c.relpartbound, c.oid), '')) FROM pg_class c WHERE {c.relnamespace}",
    "SELECT concat_ws('|', c.oid::regclass, '.', a.attname, ' #', a.attnum, ' ', format_type(a.atttypid, a.atttypmod), ' ', a.attnotnull, a.attidentity, a.attgenerated, coalesce(pg_get_expr(d.adbin, d.adrelid), ''), coalesce(col_description(c.oid, a.attnum), '')) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE a.attnum > 0 AND {c.relnamespace}",
    "SELECT concat_ws('|', o.conrelid::regclass, '.', o.conname, ' ', pg_get_constraintdef(o.oid), o.convalidated) FROM pg_constraint o WHERE {o.connamespace}",
    "SELECT concat_ws('|', pg_get_indexdef(c.oid), i.indisvalid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE {c.relnamespace}",
    "SELECT concat_ws('|', pg_get_functiondef(p.oid), coalesce((SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(p.proacl) a), '')) FROM pg_proc p WHERE p.prokind IN ('f', 'p') AND {p.pronamespace}",
    "SELECT concat_ws('|', pg_get_triggerdef(t.oid)) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND {c.relnamespace}",
    "SELECT concat_ws('|', c.oid::regclass, ' ', pg_get_viewdef(c.oid)) FROM pg_class c WHERE c.relkind IN ('v', 'm') AND {c.relnamespace}",
    "SELECT concat_ws('|', t.oid::regtype, ' ', t.typtype, coalesce(t.typdefault, ''), coalesce((SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid), '')) FROM pg_type t WHERE {t.typnamespace}",
    "SELECT concat_ws('|', p.tablename, p.policyname, p.permissive, p.roles::text, p.cmd, coalesce(p.qual, ''), coalesce(p.with_check, '')) FROM pg_policies p",
    "SELECT concat_ws('|', e.extname, e.extversion) FROM pg_extension e",
    "SELECT concat_ws('|', defaclobjtype, array_to_string(defaclacl, ',')) FROM pg_default_acl",
];

/// Our own tables are not part of the user's schema.
const USERS: &str = "::regnamespace::text !~ '^(pg_|information_schema|migraph)'";

fn scoped(sql: &str) -> String {
    sql.replace('{', "").replace('}', USERS)
}

/// The schema and all data of `database`.
pub fn of(database: &Database) -> String {
    let sorted =
        |sql: &str| database.sql(&format!("SELECT x FROM ({sql}) q(x) ORDER BY x COLLATE \"C\""));
    let schema = SCHEMA.iter().map(|sql| sorted(&scoped(sql)));
    // How far a sequence has been written ahead depends on checkpoints.
    let tables = database.sql(&scoped(
        "SELECT CASE c.relkind WHEN 'S' THEN 'last_value, is_called' ELSE '*' END, c.oid::regclass
            FROM pg_class c WHERE c.relkind IN ('r', 'm', 'S') AND {c.relnamespace} ORDER BY c.oid::regclass::text",
    ));
    let data = tables.lines().map(|line| {
        let (columns, table) = line.split_once('|').unwrap();
        format!(
            "SELECT '{table}: ' || count(*) || coalesce(md5(string_agg(t::text, '' ORDER BY t::text COLLATE \"C\")), '')
                FROM (SELECT {columns} FROM {table}) t"
        )
    });
    // Each query is a login, so there is one for all tables.
    let data = data.collect::<Vec<_>>().join(" UNION ALL ");
    let data = if data.is_empty() { data } else { sorted(&data) };
    schema.chain([data]).collect::<Vec<_>>().join("\n")
}
