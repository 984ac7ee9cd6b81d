//! How many more sessions the server can give us.

use tokio_postgres::{Client, Error};

use super::reach::first_row;

/// How many sessions can be opened besides those there are, ours included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// So many more.
    pub spare: usize,
    /// What is the narrowest.
    pub limit: Limit,
}

/// A limit and how much of it is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The server's `max_connections`.
    Server {
        /// The setting.
        max: i64,
        /// What only some users may have.
        reserved: i64,
        /// Sessions there are.
        present: i64,
    },
    /// The role's CONNECTION LIMIT.
    Role {
        /// The limit.
        max: i64,
        /// Sessions of the role there are.
        present: i64,
    },
    /// The database's CONNECTION LIMIT.
    Database {
        /// The limit.
        max: i64,
        /// Sessions in the database there are.
        present: i64,
    },
}

impl Limit {
    fn spare(self) -> i64 {
        match self {
            Self::Server { max, reserved, present } => max - reserved - present,
            Self::Role { max, present } | Self::Database { max, present } => max - present,
        }
    }
}

/// Asks for it, in one question.
///
/// The reserved ones are left alone even by a superuser: they are the operator's
/// way in when nothing else is left. The limits of role and database do not hold
/// for superusers. Of the sessions of others only database and user may be
/// visible; those of background processes have not both.
pub async fn capacity(client: &Client) -> Result<Capacity, Error> {
    let sql = "SELECT pg_catalog.current_setting('max_connections'),
            pg_catalog.current_setting('superuser_reserved_connections')::pg_catalog.int4
                + coalesce(pg_catalog.current_setting('reserved_connections', true)::pg_catalog.int4, 0),
            count(*),
            CASE WHEN rolsuper THEN -1 ELSE rolconnlimit END,
            count(*) FILTER (WHERE usename = session_user),
            CASE WHEN rolsuper THEN -1 ELSE datconnlimit END,
            count(*) FILTER (WHERE a.datname = d.datname)
        FROM pg_catalog.pg_stat_activity a, pg_catalog.pg_roles, pg_catalog.pg_database d
        WHERE rolname = session_user AND d.datname = pg_catalog.current_database()
            AND coalesce(backend_type, 'client backend') = 'client backend'
            AND a.datid IS NOT NULL AND a.usesysid IS NOT NULL
        GROUP BY rolsuper, rolconnlimit, datconnlimit";
    let row = first_row(client, sql).await?;
    let number = |at: usize| row.get(at)?.as_deref()?.parse().ok();
    let [max, reserved, present, role_max, of_role, database_max, in_database] =
        [0, 1, 2, 3, 4, 5, 6].map(|at| number(at).unwrap_or(-1));
    Ok(Capacity::of([
        Some(Limit::Server { max, reserved, present }),
        (role_max >= 0).then_some(Limit::Role { max: role_max, present: of_role }),
        (database_max >= 0).then_some(Limit::Database { max: database_max, present: in_database }),
    ]))
}

impl Capacity {
    /// What the narrowest of the limits leaves; the first limit always holds.
    fn of(limits: [Option<Limit>; 3]) -> Self {
        let narrowest = limits.into_iter().flatten().min_by_key(|limit| limit.spare());
        let limit = narrowest.unwrap_or(Limit::Server { max: 0, reserved: 0, present: 0 });
        Self { spare: usize::try_from(limit.spare()).unwrap_or(0), limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_limit_counts() {
        let server = |present| Limit::Server { max: 100, reserved: 3, present };
        let role = |present| Some(Limit::Role { max: 5, present });
        let database = |present| Some(Limit::Database { max: 8, present });
        let cases = [
            ("the server only", server(90), None, None, 7, server(90)),
            ("the role", server(1), role(1), database(1), 4, Limit::Role { max: 5, present: 1 }),
            ("the database", server(1), role(1), database(6), 2, database(6).unwrap()),
            ("full", server(100), None, None, 0, server(100)),
            ("a tie is the server's", server(93), None, database(4), 4, server(93)),
        ];
        for (why, server, role, database, spare, limit) in cases {
            let found = Capacity::of([Some(server), role, database]);
            assert_eq!(found, Capacity { spare, limit }, "{why}");
        }
    }
}
