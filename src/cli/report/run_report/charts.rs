//! The charts of the page: drawings without text, which stretch to the width that there is; what they say stands
//! beside them as text of the page, in the size of all other text, so that they read on a phone.

use super::words::ms;
use crate::cli::format;
use crate::measured::{Measured, Sample, percent};
use crate::page::escape;
use crate::report::Report;

/// The width of a drawing in its own units.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 200.0;

/// The most points of a line: beyond, it is noise.
const POINTS: usize = 60;

/// A row of bars: its name, its parts (class, begin, end), and what stands behind it.
type Bars = (String, Vec<(&'static str, f64, f64)>, String);

/// When each entity was copied and published.
pub(super) fn phases(measured: &Measured) -> String {
    let whole = measured.entities.iter().map(|entity| entity.ended_ms).fold(measured.elapsed_ms, u64::max);
    if whole == 0 {
        return String::new();
    }
    let rows = measured.entities.iter().map(|entity| {
        let copied = entity.began_ms + entity.copy_ms();
        let mut parts = vec![("copy", entity.began_ms as f64, copied as f64)];
        let mut text = ms(entity.copy_ms());
        if let Some(began) = entity.publish_began_ms {
            parts.push(("publish", began as f64, entity.ended_ms as f64));
            text.push_str(&format!(" + {}", ms(entity.publish_ms())));
        }
        (entity.entity.clone(), parts, text)
    });
    let legend = legend(&[("copy", "copy: read, transform, compare, load"), ("publish", "publish")]);
    format!("{legend}{}", bars_over(rows.collect(), whole as f64, &marks(whole)))
}

/// How busy each stage was over the whole run.
pub(super) fn shares(report: &Report) -> String {
    let Some(found) = &report.bottleneck else { return String::new() };
    let rows = found.shares.iter().filter(|share| share.share > 0.0).map(|share| {
        let class = if Some(share.stage) == found.stage { "narrow" } else { "copy" };
        (share.stage.name().to_owned(), vec![(class, 0.0, share.share)], percent(share.share))
    });
    bars(rows.collect(), 1.0)
}

/// Rows a second of this run and those before it.
pub(super) fn speeds(report: &Report) -> String {
    let this = report.rows_per_s.map(|rows| (format!("run {}", report.run.run.run_id), "narrow", rows));
    let before = report
        .earlier
        .iter()
        .filter_map(|run| Some((format!("run {}", run.run_id), "copy", run.rows_per_s?)));
    let all: Vec<_> = this.into_iter().chain(before).collect();
    let most = all.iter().map(|(_, _, rows)| *rows).max().unwrap_or(0);
    let rows = all.into_iter().map(|(name, class, rows)| {
        (name, vec![(class, 0.0, rows as f64)], format!("{} rows/s", format::count(rows)))
    });
    bars(rows.collect(), most as f64)
}

/// Bytes and rows a second over time.
pub(super) fn throughput(measured: &Measured) -> String {
    let samples = thinned(&measured.timeline);
    let Some(whole) = samples.last().map(|last| last.at_ms).filter(|_| samples.len() > 2) else {
        return String::new();
    };
    let bytes = [
        ("copy", speeds_of(&samples, |sample| sample.bytes_read)),
        ("publish", speeds_of(&samples, |sample| sample.bytes_loaded)),
    ];
    let rows = [("copy", speeds_of(&samples, |sample| sample.rows_read))];
    format!(
        "<h3>Bytes a second</h3>\n{}{}{}<h3>Rows of V1 a second</h3>\n{}{}",
        legend(&[("copy", "read from V1"), ("publish", "loaded")]),
        lines(&bytes, whole, |most| format!("{}/s", format::bytes(most))),
        axis(whole),
        lines(&rows, whole, |most| format!("{} rows/s", format::count(most))),
        axis(whole)
    )
}

fn legend(entries: &[(&str, &str)]) -> String {
    let entries: String =
        entries.iter().map(|(class, text)| format!("<li><i class=\"{class}\"></i>{text}</li>\n")).collect();
    format!("<ul class=\"legend\">\n{entries}</ul>\n")
}

fn bars(rows: Vec<Bars>, whole: f64) -> String {
    bars_over(rows, whole, "")
}

/// Bars with an axis below them.
fn bars_over(rows: Vec<Bars>, whole: f64, marks: &str) -> String {
    if rows.is_empty() || whole <= 0.0 {
        return String::new();
    }
    let rows: String = rows
        .into_iter()
        .map(|(name, parts, text)| {
            let parts: String = parts
                .into_iter()
                .map(|(class, from, to)| {
                    let (x, end) = (from * WIDTH / whole, to * WIDTH / whole);
                    // A part that was there is to be seen.
                    let width = (end - x).max(2.0);
                    format!(
                        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"0\" width=\"{width:.1}\" height=\"16\"/>"
                    )
                })
                .collect();
            format!(
                "<div><span>{}</span><svg viewBox=\"0 0 {WIDTH} 16\" preserveAspectRatio=\"none\" \
                 aria-hidden=\"true\">{parts}</svg><span>{}</span></div>\n",
                escape(&name),
                escape(&text)
            )
        })
        .collect();
    let axis = if marks.is_empty() {
        String::new()
    } else {
        format!("<div><span></span><p class=\"axis\">{marks}</p><span></span></div>\n")
    };
    format!("<div class=\"bars\">\n{rows}{axis}</div>\n")
}

/// The begin, the middle and the end of a time axis.
fn axis(whole_ms: u64) -> String {
    format!("<p class=\"axis\">{}</p>\n", marks(whole_ms))
}

fn marks(whole_ms: u64) -> String {
    format!("<span>0</span><span>{}</span><span>{}</span>", ms(whole_ms / 2), ms(whole_ms))
}

/// Lines over time, each of points (time, speed), below the highest speed in words.
fn lines(all: &[(&str, Vec<(u64, f64)>)], whole: u64, words: impl Fn(u64) -> String) -> String {
    let most = all.iter().flat_map(|(_, points)| points.iter().map(|(_, speed)| *speed)).fold(1.0, f64::max);
    let drawn: String = all
        .iter()
        .map(|(class, points)| {
            let points: Vec<String> = points
                .iter()
                .map(|(at, speed)| {
                    let x = *at as f64 * WIDTH / whole as f64;
                    format!("{x:.1},{:.1}", HEIGHT - speed * HEIGHT / most)
                })
                .collect();
            format!("<polyline class=\"{class}\" points=\"{}\"/>", points.join(" "))
        })
        .collect();
    let middle = HEIGHT / 2.0;
    format!(
        "<p class=\"most\">{}</p>\n<svg class=\"lines\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         preserveAspectRatio=\"none\" aria-hidden=\"true\"><path d=\"M0 0H{WIDTH}M0 {middle}H{WIDTH}M0 \
         {HEIGHT}H{WIDTH}\"/>{drawn}</svg>\n",
        // Float to integer casts saturate.
        words(most.round() as u64)
    )
}

/// The samples so far apart that they make at most [`POINTS`]; the first and the last are among them.
fn thinned(samples: &[Sample]) -> Vec<Sample> {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Vec::new() };
    let least = (last.at_ms - first.at_ms.min(last.at_ms)) / POINTS as u64;
    let mut kept = vec![*first];
    let mut reached = first.at_ms;
    for sample in &samples[1..] {
        if sample.at_ms >= reached + least.max(1) || sample == last {
            reached = sample.at_ms;
            kept.push(*sample);
        }
    }
    kept
}

/// The speed of a counter between each two samples, at the end of the time between.
fn speeds_of(samples: &[Sample], counter: fn(&Sample) -> u64) -> Vec<(u64, f64)> {
    samples
        .windows(2)
        .map(|two| {
            let ms = two[1].at_ms.saturating_sub(two[0].at_ms).max(1);
            // A partition that is tried again takes back what it counted.
            let moved = counter(&two[1]).saturating_sub(counter(&two[0]));
            (two[1].at_ms, moved as f64 * 1000.0 / ms as f64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_what_a_counter_moved_over_its_time() {
        let at = |at_ms, rows_read| Sample { at_ms, rows_read, ..Sample::default() };
        let samples = [at(0, 0), at(500, 100), at(1000, 50), at(3000, 2050)];
        let speeds = speeds_of(&samples, |sample| sample.rows_read);
        assert_eq!(speeds, [(500, 200.0), (1000, 0.0), (3000, 1000.0)]);
    }

    #[test]
    fn a_line_has_few_points_from_its_first_to_its_last() {
        let samples: Vec<Sample> = (0..121).map(|n| Sample { at_ms: n * 100, ..Sample::default() }).collect();
        let kept = thinned(&samples);
        assert!(kept.len() <= POINTS + 2, "{}", kept.len());
        assert_eq!((kept[0], kept[kept.len() - 1]), (samples[0], samples[120]));
        assert!(thinned(&[]).is_empty());
    }
}
