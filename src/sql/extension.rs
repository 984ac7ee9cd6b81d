//! What extensions bring along.
//!
//! Their objects are nowhere in the scripts: `extensions.txt` has them. What an
//! extension provides without a name (operator classes for plain types, casts) is found
//! by the access method, or not at all.

use super::kind::Kind;

/// See its first lines.
const PROVIDED: &str = include_str!("extensions.txt");

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
pub(super) fn objects(name: &str) -> impl Iterator<Item = (Kind, &'static str)> {
    let of_it = move |line: &'static str| {
        let mut words = line.split(' ');
        let is_it = words.next() == Some(name);
        Some((kind(words.next()?)?, words)).filter(|_| is_it)
    };
    let lines = PROVIDED.lines().filter_map(of_it);
    lines.flat_map(|(kind, names)| names.map(move |name| (kind, name)))
}

fn kind(word: &str) -> Option<Kind> {
    Some(match word {
        "type" => Kind::Type,
        "function" => Kind::Routine,
        "relation" => Kind::View,
        "class" => Kind::OperatorClass,
        "operator" => Kind::Operator,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_understood() {
        let lines = PROVIDED.lines().filter(|line| !line.starts_with('#'));
        for line in lines {
            let mut words = line.split(' ').skip(1);
            assert!(words.next().and_then(kind).is_some(), "{line}");
            assert!(words.next().is_some() && words.all(|name| !name.is_empty()), "{line}");
        }
        assert!(objects("pg_trgm").any(|it| it == (Kind::Operator, "<->")));
        assert!(objects("ltree").any(|it| it == (Kind::Type, "lquery")));
        assert_eq!(objects("nothing").count(), 0);
    }
}
