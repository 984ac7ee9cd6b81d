//! Why something must run alone, or is not understood.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Deserializer};

/// A fragment of a sentence, written in this program.
pub type Reason = &'static str;

/// The reasons that were read from what this program wrote. There are as many as it has
/// texts for them, so that they may live as long as it does.
static KNOWN: Mutex<BTreeSet<Reason>> = Mutex::new(BTreeSet::new());

/// Reads one that this program wrote earlier.
pub(super) fn reread<'de, D: Deserializer<'de>>(from: D) -> Result<Reason, D::Error> {
    let text = <&str>::deserialize(from)?;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(known.get(text).copied().unwrap_or_else(|| {
        let reason: Reason = Box::leak(text.into());
        known.insert(reason);
        reason
    }))
}
