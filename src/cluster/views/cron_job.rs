//! CronJobs, of which only reports tell.

use k8s_openapi::api::batch::v1::CronJob;
use serde::Deserializer;

use super::metadata::{Identity, Metadata, RevisionLabel};
use super::{Slim, View, fields};
use crate::kinds::{ApiType, CRON_JOB};

fields! {
    /// `CronJob`.
    CronJobFields {
        metadata: Metadata<RevisionLabel>,
    }
}

impl super::Fields for CronJobFields {
    fn identity(&self) -> Identity<'_> {
        self.metadata.identity()
    }
}

impl Slim for CronJob {
    type Kind = ();
    type Object = ();

    fn api((): &()) -> &'static ApiType {
        &CRON_JOB
    }

    fn decode<'de, D: Deserializer<'de>>(decoder: D) -> Result<View<Self>, D::Error> {
        View::decode(decoder, |_: CronJobFields| Ok(()))
    }
}
