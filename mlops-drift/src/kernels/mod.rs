//! The innermost loops: the only place of `unsafe`, each with its proof beside it.
//!
//! Every loop is written once, in plain Rust that a compiler can put on vectors. It is compiled twice, for
//! any processor and for one with AVX2, and the processor at hand decides which of them runs
//! ([`dispatch`]). Both give the same bits: no operation is fused or reordered. 512 bits wide they are no
//! faster where it was measured (Zen 4 splits such operations in two), so there is no third.

#![allow(unsafe_code)]

/// Defines a function that runs its body compiled for AVX2 where the processor has it.
///
/// ```text
/// dispatch! { fn name[generics](arguments) -> Output = body; }
/// ```
macro_rules! dispatch {
    ($(#[$doc:meta])* fn $name:ident [$($generics:tt)*] ($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? = $body:path;) => {
        $(#[$doc])*
        pub(crate) fn $name<$($generics)*>($($arg: $type),*) $(-> $out)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
                fn wide<$($generics)*>($($arg: $type),*) $(-> $out)? {
                    $body($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx2")
                    && std::arch::is_x86_feature_detected!("bmi1")
                    && std::arch::is_x86_feature_detected!("bmi2")
                    && std::arch::is_x86_feature_detected!("lzcnt")
                {
                    // SAFETY: the processor has every feature that the function was compiled for.
                    return unsafe { wide($($arg),*) };
                }
            }
            $body($($arg),*)
        }
    };
}

mod bins;
mod codes;
mod squares;
mod table;

pub(crate) use bins::{BLOCK as BINS_BLOCK, Column, TOGETHER, all_usable, count_above};
pub(crate) use codes::{TURNS, count_codes};
pub(crate) use squares::{NEAR, split, split_squares};
pub(crate) use table::{Counted, MOST_EDGES, Places, Slot, Slots, Table, count_cells, find_cells};

#[cfg(test)]
mod tests;
