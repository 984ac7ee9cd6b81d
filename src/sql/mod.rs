//! What a migration touches.
//!
//! Two steps. [`read`] turns each statement of a script into [`act`]s: names as
//! they are written. A [`Catalogue`] is then told of one script after another, in
//! an order that the dependencies permit, and answers each with its
//! [`Footprint`]: the objects that it creates, reads, changes and drops, the locks
//! that it takes, and what could not be understood.
//!
//! `docs/design/footprints.md` says what is understood and what is not.

pub mod act;
mod builtin;
mod catalogue;
mod extension;
mod footprint;
mod kind;
mod lock;
mod name;
mod read;
mod reason;

pub use act::Reading;
pub use catalogue::Catalogue;
pub use footprint::{Aspect, Cell, Footprint, ObjectId, Op, Remark, SlotId, Touch};
pub use kind::{Kind, Scoping};
pub use lock::{LOCK_MODES, LockMode, Modes};
pub use name::{Ident, QName};
pub use read::read;
pub use reason::Reason;
