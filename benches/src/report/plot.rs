//! The plot: how long changes take, and memory over the run.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Results;
use crate::figure::megabytes;
use crate::sampler::Sample;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const SIZE: (u32, u32) = (1080, 760);
const OPERATOR: RGBColor = RGBColor(31, 111, 180);
const OTHER: RGBColor = RGBColor(150, 150, 150);
const PHASE: RGBColor = RGBColor(200, 200, 200);
const FONT: &str = "sans-serif";

/// Draws it.
pub(super) fn draw(results: &Results, file: &Path) -> Result<()> {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    paint(results, &root).map_err(|error| anyhow!("{error}"))
}

/// The error of the library borrows nothing of ours, but its type names the backend.
type Painted<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn paint(results: &Results, root: &Area<'_>) -> Painted {
    root.fill(&WHITE)?;
    let (latencies, memory) = root.split_vertically(330);
    paint_latencies(results, &latencies)?;
    paint_memory(results, &memory)?;
    root.present()?;
    Ok(())
}

/// Which share of the changes took at most so long.
fn paint_latencies(results: &Results, area: &Area<'_>) -> Painted {
    let series = [
        ("edit to patched workload", &results.latencies, OPERATOR),
        ("bare server-side apply", &results.bare, OTHER),
    ];
    let all = || series.iter().flat_map(|(_, values, _)| values.iter());
    let longest = all().copied().fold(1.0, f64::max).min(60.0);
    let mut chart = ChartBuilder::on(area)
        .caption(
            "One change at a time: share that took at most so long",
            (FONT, 18),
        )
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..longest * 1.05, 0.0..100.0)?;
    chart
        .configure_mesh()
        .x_desc("milliseconds")
        .y_desc("percent")
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 13))
        .draw()?;
    for (name, values, colour) in series {
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len() as f64;
        let points = sorted
            .iter()
            .enumerate()
            .map(|(rank, value)| (*value, (rank + 1) as f64 / count * 100.0));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE)
        .border_style(PHASE)
        .label_font((FONT, 14))
        .draw()?;
    Ok(())
}

/// The operator's resident memory over the run.
fn paint_memory(results: &Results, area: &Area<'_>) -> Painted {
    let samples = &results.samples;
    // What went before the operator's start is none of its business.
    let first = samples.iter().find(|sample| sample.operator.is_some());
    let begin = first.map_or(0.0, |sample| sample.seconds);
    let end = samples.last().map_or(1.0, |sample| sample.seconds);
    let most = samples.iter().filter_map(|sample| sample.operator).max();
    let most = megabytes(most.unwrap_or(1_000_000));
    let mut chart = ChartBuilder::on(area)
        .caption("Resident memory of the operator over the run", (FONT, 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..end - begin, 0.0..most * 1.35)?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .y_desc("MB")
        .x_label_formatter(&|seconds| format!("{seconds:.0}"))
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 13))
        .draw()?;
    for (number, phase) in results.phases.iter().enumerate() {
        let at = (phase.seconds - begin).max(0.0);
        if phase.seconds < begin - 1.0 {
            continue;
        }
        let line = [(at, 0.0), (at, most * 1.35)];
        chart.draw_series([PathElement::new(line, PHASE)])?;
        // Neighbours are written at different heights.
        let height = most * (1.33 - 0.07 * (number % 4) as f64);
        // What would not fit to the right of its line stands to the left.
        let side = match at > (end - begin) * 0.8 {
            true => HPos::Right,
            false => HPos::Left,
        };
        let style = (FONT, 12).into_font().color(&BLACK);
        let style = style.pos(Pos::new(side, VPos::Top));
        let text = format!(" {} ", phase.name);
        chart.draw_series([Text::new(text, (at, height), style)])?;
    }
    let runs = samples.split(|sample| sample.operator.is_none());
    for run in runs.filter(|run| !run.is_empty()) {
        let point = |sample: &Sample| {
            let bytes = sample.operator?;
            Some((sample.seconds - begin, megabytes(bytes)))
        };
        let points = run.iter().filter_map(point);
        chart.draw_series(LineSeries::new(points, OPERATOR.stroke_width(2)))?;
    }
    Ok(())
}
