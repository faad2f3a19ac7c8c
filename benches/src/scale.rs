//! How large the cluster is.

use serde::Serialize;

/// Where the limits of a small cluster hold.
const SMALL: usize = 1_201;
/// Where those of a large one hold.
const LARGE: usize = 5_011;
/// From here on it is about growth: bigger objects, more Pods, a wider fan-out.
const HUGE: usize = 10_000;
/// How many Secrets of 1 MiB a huge cluster has.
const LARGE_SECRETS: usize = 20;

/// How many of what there are.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Scale {
    /// All Deployments that Projsync manages.
    pub(crate) deployments: usize,
    /// Those that project a ConfigMap and a Secret of their own (or share it with few).
    pub(crate) singles: usize,
    /// Those that project one ConfigMap between them.
    pub(crate) fan_out: usize,
    /// Pods of each.
    pub(crate) replicas: usize,
    /// ConfigMaps of 2 KiB.
    pub(crate) config_maps: usize,
    /// Secrets of 2 KiB that are projected.
    pub(crate) secrets: usize,
    /// Secrets of 8 KiB that nobody uses.
    pub(crate) unused_secrets: usize,
    /// Secrets of 1 MiB (nearly).
    pub(crate) large_secrets: usize,
    /// How many of those are projected.
    pub(crate) large_secrets_used: usize,
    /// How many changes are made one at a time.
    pub(crate) changes: usize,
}

impl Scale {
    /// That of so many Deployments: 1,201 and 5,011 are the ones that others were
    /// measured at.
    pub(crate) fn of(deployments: usize) -> Self {
        let huge = deployments >= HUGE;
        let fan_out = match huge {
            true => deployments / 2,
            false => (deployments / 6).min(200),
        };
        // One more is for the burst.
        let singles = deployments - fan_out - 1;
        let sources = match deployments {
            ..1_000 => singles,
            _ => deployments / 1_000 * 1_000,
        };
        // Of a huge cluster's ConfigMaps and Secrets, two a Deployment, most are unprojected.
        let (secrets, unused_secrets, large_secrets) = match huge {
            true => (
                sources / 5,
                sources - sources / 5 - LARGE_SECRETS,
                LARGE_SECRETS,
            ),
            false => (sources, sources, 0),
        };
        Self {
            deployments,
            singles,
            fan_out,
            replicas: if huge { 2 } else { 1 },
            config_maps: sources,
            secrets,
            unused_secrets,
            large_secrets,
            large_secrets_used: large_secrets / 4,
            changes: singles.min(200),
        }
    }

    /// How many Deployments project each ConfigMap that only some of the fan-out project,
    /// in rising order.
    pub(crate) fn narrow_fan_outs(self) -> impl Iterator<Item = usize> {
        let widths = [1, 10, 100, 1_000].into_iter();
        widths.filter(move |width| *width < self.fan_out)
    }

    /// The Pods of all Deployments.
    pub(crate) fn pods(&self) -> usize {
        self.deployments * self.replicas
    }

    /// A limit that is set for the small cluster, or for the two that others were
    /// measured at.
    pub(crate) fn limit(&self, small: f64, large: Option<f64>) -> Option<f64> {
        if self.deployments <= SMALL {
            Some(small)
        } else {
            large.filter(|_| self.deployments <= LARGE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scales_that_others_were_measured_at() {
        let small = Scale::of(1_201);
        assert_eq!(
            (small.singles, small.fan_out, small.pods()),
            (1_000, 200, 1_201)
        );
        let secrets = (small.secrets, small.unused_secrets);
        assert_eq!((small.config_maps, secrets), (1_000, (1_000, 1_000)));
        let large = Scale::of(5_011);
        let secrets = large.secrets + large.unused_secrets;
        assert_eq!((large.config_maps, secrets), (5_000, 10_000));
        let huge = Scale::of(10_000);
        assert_eq!((huge.fan_out, huge.pods()), (5_000, 20_000));
        let secrets = huge.secrets + huge.unused_secrets + huge.large_secrets;
        assert_eq!((huge.config_maps, secrets), (10_000, 10_000));
        let projected = huge.singles + huge.secrets + huge.large_secrets_used;
        assert!(projected < 10_000, "most are unprojected");
        let widths: Vec<usize> = huge.narrow_fan_outs().collect();
        assert_eq!(widths, [1, 10, 100, 1_000]);
    }

    #[test]
    fn there_is_enough_of_everything() {
        for deployments in [20, 50, 999, 1_000, 1_201, 5_011, 10_000, 100_000] {
            let scale = Scale::of(deployments);
            assert_eq!(scale.singles + scale.fan_out + 1, deployments);
            assert!(scale.secrets > 0 && scale.fan_out > 0 && scale.changes > 0);
            // Each change is of a ConfigMap and a Deployment of the same number.
            assert!(scale.changes <= scale.singles.min(scale.config_maps));
        }
    }

    #[test]
    fn limits_are_of_a_scale() {
        let limit = |deployments| Scale::of(deployments).limit(40.0, Some(75.0));
        assert_eq!(limit(1_201), Some(40.0));
        assert_eq!(limit(5_011), Some(75.0));
        assert_eq!(limit(10_000), None);
    }
}
