//! Random histories, the ones with names, and what breaks each promise.

mod cases;
mod history;
mod mutants;
