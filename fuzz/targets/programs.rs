//! Programs of the rule language: whatever nodes come, they are refused with a reason or run, and what must hold of all programs holds
//! (`engine::testing::programs`).

#![no_main]

use engine::testing::programs::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| check(input));
