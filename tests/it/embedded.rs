//! The library inside a program: what is promised over HTTP holds here, whatever runtime the program has, or none.

mod backing_up;
mod backlogs;
mod callers;
mod emitting;
mod kills;
mod lifetime;
mod pausing;
mod retention;
