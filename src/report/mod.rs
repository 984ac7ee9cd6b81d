//! Results and events for people and machines. The only room that writes to
//! stdout and stderr.

pub(crate) mod diagnostics;
pub(crate) mod document;
pub(crate) mod dot;
pub(crate) mod failure;
pub(crate) mod findings;
pub(crate) mod import;
pub(crate) mod infer;
pub(crate) mod output;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod rules;
pub(crate) mod status;
pub(crate) mod text;
pub(crate) mod up;
pub(crate) mod waiting;
