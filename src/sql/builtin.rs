//! What every server has.

/// Names of types in `pg_catalog` that migrations use
/// (<https://www.postgresql.org/docs/current/datatype.html>). One that is missing
/// here costs nothing but a name that nobody makes.
const TYPES: [&str; 76] = [
    "bigint", "bigserial", "bit", "bool", "boolean", "box", "bpchar", "bytea", "char", "character",
    "cid", "cidr", "circle", "date", "daterange", "datemultirange", "dec", "decimal", "double",
    "event_trigger", "float", "float4", "float8", "inet", "int", "int2", "int2vector", "int4",
    "int4range", "int4multirange", "int8", "int8range", "int8multirange", "integer", "interval",
    "json", "jsonb", "jsonpath", "line", "lseg", "macaddr", "macaddr8", "money", "name", "numeric",
    "nummultirange", "numrange", "oid", "path", "point", "polygon", "real", "record", "refcursor",
    "regclass", "regproc", "regtype", "serial", "smallint", "smallserial", "text", "tid", "time",
    "timestamp", "timestamptz", "timetz", "trigger", "tsmultirange", "tsquery", "tsrange",
    "tstzrange", "tsvector", "uuid", "varbit", "varchar", "void",
];

/// True for the name of a type that needs no making.
pub(super) fn is_type(name: &str) -> bool {
    let more = ["anyelement", "anyarray", "xml", "xid", "tstzmultirange", "regprocedure", "serial8", "serial4", "anynonarray", "anyenum", "cstring", "internal", "unknown", "regnamespace", "regrole"];
    TYPES.contains(&name) || more.contains(&name)
}
