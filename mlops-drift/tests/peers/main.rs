//! Other tools themselves against this crate, on the same rows; `scripts/peers` installs them.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod beside_scipy;
mod compat;
