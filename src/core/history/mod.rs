//! What each Pod has: the contents of each source over time, and what is remembered of them.
//!
//! The rules by which this is judged are numbered in `docs/design.md`; tests are named after them.
//!
//! | word | meaning |
//! |---|---|
//! | [`Record`](record::Record) | All that is remembered of one workload. |
//! | [`Track`](record::Track) | The part of a record about one reference: its timeline, and the version of the source that was read last. |
//! | [`Origin`](record::Origin) | Where a track's timeline comes from, and so how far it is trusted. |
//! | [`Answer`](record::Answer) | What a read of a source brought, and how it reached us. |
//! | [`Observation`](timeline::Observation) | What an answer says of one reference. It joins the timeline. |
//! | [`SourceEvent`](crate::core::object::source::SourceEvent) | An edit or a deletion that a watch showed. Where a later one came before the read, it stays unread. |
//! | [`Timeline`](timeline::Timeline) | The contents of one reference, oldest first. It is open while Pods older than the first content can't be told. |
//! | [`Entry`](timeline::Entry) | One content of a timeline. `Unread`: edited over before it was read. `Unsure`: a span that nobody watched. |
//! | [`Since`](timeline::Since) | The version and the time from which a content is in force. |
//! | [`Start`](crate::core::object::pod::Start) | When a Pod was created, as exactly as is known. |
//! | [`Standing`](timeline::Standing) | What a Pod has of one reference: the newest content, another, or what can't be told. |
//! | [`Handover`](timeline::Handover) | What is known of the time between the timeline that another replica stored and our own. |
//! | [`NodeCopy`](record::NodeCopy) | The content of an immutable object that nodes may go on giving to Pods after it was replaced. |
//! | [`Roll`](record::Roll) | A revision that we wrote into a workload's Pod template. |
//! | [`Contest`](record::Contest) | How often somebody else took our revision away again. |
//! | in sync | No Pod lacks the newest content. `lastInSync` is a time up to which that is known. |

pub mod record;
pub mod timeline;
