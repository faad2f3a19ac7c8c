//! What drives the operator: queues and the workers behind them.

pub mod queue;
