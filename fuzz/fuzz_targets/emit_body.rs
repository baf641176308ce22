#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hookyard::fuzzing::emit_body(input));
