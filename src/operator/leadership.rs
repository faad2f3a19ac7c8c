//! Reaction to a change of leadership.

use std::sync::Arc;

use tracing::info;

use crate::cluster::lease::Leadership;
use crate::operator::context::Context;

/// Queues everything when this replica begins to lead. Ends with leader election.
pub async fn follow(context: Arc<Context>) {
    let mut leadership = context.cluster.leadership.clone();
    let mut led = false;
    loop {
        let leads = matches!(*leadership.borrow_and_update(), Leadership::Leader { .. });
        if leads != led {
            info!(leads, "leadership changed");
            if leads {
                context.enqueue_all();
            }
            led = leads;
        }
        if leadership.changed().await.is_err() {
            return;
        }
    }
}
