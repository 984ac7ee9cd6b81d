//! What contrib extensions bring along.
//!
//! Their objects are nowhere in the scripts. The lists hold what migrations use by
//! name, taken from `\dx+` of PostgreSQL 15's contrib modules; others' from their
//! documentation. What an extension provides without a name (operator classes for
//! plain types, casts) is found by the access method, or not at all.

use super::kind::Kind;

/// An extension, its types, its functions and its operator classes.
type Entry =
    (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

const EXTENSIONS: &[Entry] = &[
    ("citext", &["citext"], &[], &[]),
    (
        "hstore",
        &["hstore"],
        &[
            "hstore",
            "akeys",
            "avals",
            "skeys",
            "svals",
            "hstore_to_json",
            "hstore_to_jsonb",
            "exist",
            "delete",
            "each",
            "slice",
        ],
        &["gin_hstore_ops", "gist_hstore_ops"],
    ),
    (
        "ltree",
        &["ltree", "lquery", "ltxtquery"],
        &["subltree", "subpath", "nlevel", "text2ltree", "ltree2text", "lca"],
        &["gist_ltree_ops", "gist__ltree_ops"],
    ),
    (
        "uuid-ossp",
        &[],
        &[
            "uuid_generate_v1",
            "uuid_generate_v1mc",
            "uuid_generate_v3",
            "uuid_generate_v4",
            "uuid_generate_v5",
            "uuid_nil",
            "uuid_ns_dns",
            "uuid_ns_url",
            "uuid_ns_oid",
            "uuid_ns_x500",
        ],
        &[],
    ),
    (
        "pgcrypto",
        &[],
        &[
            "digest",
            "hmac",
            "crypt",
            "gen_salt",
            "gen_random_bytes",
            "encrypt",
            "decrypt",
            "pgp_sym_encrypt",
            "pgp_sym_decrypt",
            "pgp_pub_encrypt",
            "pgp_pub_decrypt",
            "armor",
            "dearmor",
        ],
        &[],
    ),
    (
        "pg_trgm",
        &[],
        &[
            "similarity",
            "word_similarity",
            "strict_word_similarity",
            "show_trgm",
            "show_limit",
            "set_limit",
        ],
        &["gin_trgm_ops", "gist_trgm_ops"],
    ),
    ("unaccent", &[], &["unaccent"], &[]),
    (
        "fuzzystrmatch",
        &[],
        &[
            "levenshtein",
            "levenshtein_less_equal",
            "soundex",
            "difference",
            "metaphone",
            "dmetaphone",
            "dmetaphone_alt",
        ],
        &[],
    ),
    (
        "tablefunc",
        &[],
        &["crosstab", "crosstab2", "crosstab3", "crosstab4", "connectby", "normal_rand"],
        &[],
    ),
    (
        "intarray",
        &["query_int"],
        &["icount", "sort_asc", "sort_desc", "uniq", "idx", "intset"],
        &["gin__int_ops", "gist__int_ops", "gist__intbig_ops"],
    ),
    ("cube", &["cube"], &["cube", "cube_distance", "cube_dim"], &["gist_cube_ops"]),
    (
        "earthdistance",
        &["earth"],
        &["ll_to_earth", "earth_distance", "earth_box", "latitude", "longitude"],
        &[],
    ),
    (
        "isn",
        &["ean13", "isbn", "isbn13", "issn", "issn13", "ismn", "ismn13", "upc"],
        &["isn_weak"],
        &[],
    ),
    ("seg", &["seg"], &[], &["gist_seg_ops"]),
    ("lo", &["lo"], &["lo_manage"], &[]),
    ("moddatetime", &[], &["moddatetime"], &[]),
    ("pg_stat_statements", &[], &["pg_stat_statements_reset"], &[]),
    ("dblink", &[], &["dblink", "dblink_connect", "dblink_disconnect", "dblink_exec"], &[]),
    ("postgres_fdw", &[], &["postgres_fdw_handler", "postgres_fdw_validator"], &[]),
    ("file_fdw", &[], &["file_fdw_handler", "file_fdw_validator"], &[]),
    (
        "vector",
        &["vector", "halfvec", "sparsevec"],
        &["cosine_distance", "l2_distance", "inner_product"],
        &[
            "vector_l2_ops",
            "vector_ip_ops",
            "vector_cosine_ops",
            "halfvec_l2_ops",
            "halfvec_cosine_ops",
        ],
    ),
    (
        "postgis",
        &["geometry", "geography", "box2d", "box3d", "raster"],
        &[
            "st_makepoint",
            "st_setsrid",
            "st_distance",
            "st_dwithin",
            "st_intersects",
            "st_contains",
            "st_within",
            "st_area",
            "st_buffer",
            "st_x",
            "st_y",
            "st_geomfromtext",
            "st_geomfromgeojson",
            "st_asgeojson",
            "st_astext",
            "st_transform",
            "addgeometrycolumn",
        ],
        &["gist_geometry_ops_2d", "gist_geometry_ops_nd"],
    ),
    (
        "timescaledb",
        &[],
        &[
            "create_hypertable",
            "add_dimension",
            "add_retention_policy",
            "add_compression_policy",
            "add_continuous_aggregate_policy",
            "time_bucket",
        ],
        &[],
    ),
    ("dblink", &[], &["dblink", "dblink_connect", "dblink_exec", "dblink_disconnect"], &[]),
    ("autoinc", &[], &["autoinc"], &[]),
    ("moddatetime", &[], &["moddatetime"], &[]),
    ("insert_username", &[], &["insert_username"], &[]),
    ("pg_stat_statements", &[], &["pg_stat_statements_reset"], &[]),
    ("pg_partman", &[], &["create_parent", "run_maintenance"], &[]),
    (
        "btree_gist",
        &[],
        &[],
        &[
            "gist_int4_ops",
            "gist_int8_ops",
            "gist_text_ops",
            "gist_uuid_ops",
            "gist_timestamptz_ops",
            "gist_date_ops",
        ],
    ),
    ("btree_gin", &[], &[], &["int4_ops", "text_ops"]),
];

/// Operators for plain types; those for types of the extension's own come with these.
const OPERATORS: &[(&str, &[&str])] = &[
    ("pg_trgm", &["%", "<%", "%>", "<<%", "%>>", "<->", "<<->", "<->>", "<<<->", "<->>>"]),
    ("earthdistance", &["<@>"]),
    ("intarray", &["@@", "#"]),
];

/// Extensions that others must stand before, without `CASCADE`.
const REQUIRED: &[(&str, &[&str])] = &[
    ("earthdistance", &["cube"]),
    ("postgis_raster", &["postgis"]),
    ("postgis_sfcgal", &["postgis"]),
    ("postgis_tiger_geocoder", &["postgis", "fuzzystrmatch"]),
    ("postgis_topology", &["postgis"]),
    ("pgrouting", &["postgis"]),
    ("vectorscale", &["vector"]),
];

/// What `name` cannot be without.
pub(super) fn required(name: &str) -> &'static [&'static str] {
    REQUIRED.iter().find(|entry| entry.0 == name).map(|entry| entry.1).unwrap_or_default()
}

/// The objects that `name` provides, as far as they are known.
pub(super) fn objects(name: &str) -> Vec<(Kind, &'static str)> {
    let of =
        |kind: Kind, names: &'static [&'static str]| names.iter().map(move |name| (kind, *name));
    let operators = OPERATORS.iter().filter(|entry| entry.0 == name);
    let operators = operators.flat_map(|entry| of(Kind::Operator, entry.1));
    let Some((_, types, routines, classes)) = EXTENSIONS.iter().find(|entry| entry.0 == name)
    else {
        return operators.collect();
    };
    of(Kind::Type, types)
        .chain(of(Kind::Routine, routines))
        .chain(of(Kind::OperatorClass, classes))
        .chain(operators)
        .collect()
}
