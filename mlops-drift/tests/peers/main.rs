//! Other tools themselves against this crate, on the same rows; `scripts/peers` installs them.

mod compat;
