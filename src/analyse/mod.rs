//! What the footprints of migrations say about each other.
//!
//! Three relations. *Needs*: one must come behind the other, or the result is
//! another one. *Conflict*: they must not run at once, in whatever order.
//! *Barrier*: it must not run beside anything. [`infer`] makes the dependencies of
//! a whole history out of the first.
//!
//! `docs/design/footprints.md` has the rules.

mod analysis;
mod backwards;
mod completed;
mod conflict;
mod findings;
mod infer;
mod needs;
mod order;
mod undeclared;

pub use analysis::Analysis;
pub use backwards::backwards;
pub use completed::{Completion, Dependency, complete, completed};
pub use conflict::{Collision, conflict};
pub use findings::findings;
pub use infer::{Inferred, infer};
pub use needs::{Need, Strictness, Why, needs};
pub use undeclared::{Undeclared, undeclared};
