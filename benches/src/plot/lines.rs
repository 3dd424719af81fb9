//! Curves over named places, each point with the interval of its median.

use super::svg::{Anchor, COLOURS, Canvas, FAINT, INK};
use crate::statistics::Spread;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
/// The edges of the area that the curves lie in.
const LEFT: f64 = 80.0;
const RIGHT: f64 = WIDTH - 210.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = HEIGHT - 56.0;

/// How values become heights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// From zero on.
    Linear,
    /// Each power of ten as high as the next; for values above zero.
    Logarithmic,
}

/// A median and the interval that holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl From<Spread> for Point {
    fn from(spread: Spread) -> Point {
        Point {
            low: spread.low,
            median: spread.median,
            high: spread.high,
        }
    }
}

/// One curve: a point for each place, or none where it was not measured.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<Option<Point>>,
}

/// Curves over the same places.
#[derive(Clone, Debug)]
pub(crate) struct LinePlot {
    pub(crate) title: String,
    /// What the places are.
    pub(crate) across: String,
    pub(crate) places: Vec<String>,
    /// What the values are, with their unit.
    pub(crate) up: String,
    pub(crate) scale: Scale,
    pub(crate) series: Vec<Series>,
}

impl LinePlot {
    /// Draws it.
    pub(crate) fn svg(&self) -> String {
        let mut canvas = Canvas::new(WIDTH, HEIGHT);
        canvas.text((LEFT, 24.0), Anchor::Start, INK, &self.title);
        let heights = self.heights();
        self.draw_axes(&mut canvas, &heights);
        for (index, series) in self.series.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            self.draw_curve(&mut canvas, &heights, series, colour);
            let at = (RIGHT + 16.0, TOP + 12.0 + 20.0 * index as f64);
            canvas.dot((at.0 + 4.0, at.1 - 4.0), colour);
            canvas.text((at.0 + 14.0, at.1), Anchor::Start, INK, &series.name);
        }
        canvas.finish()
    }

    fn heights(&self) -> Heights {
        let points = self.series.iter().flat_map(|series| &series.points);
        let values: Vec<f64> = points
            .flatten()
            .flat_map(|point| [point.low, point.high])
            .filter(|value| value.is_finite() && (self.scale == Scale::Linear || *value > 0.0))
            .collect();
        Heights::over(self.scale, &values)
    }

    fn across(&self, place: usize) -> f64 {
        let steps = self.places.len().max(1) as f64;
        LEFT + (RIGHT - LEFT) * (place as f64 + 0.5) / steps
    }

    fn draw_axes(&self, canvas: &mut Canvas, heights: &Heights) {
        for tick in heights.ticks() {
            let y = heights.of(tick);
            canvas.line((LEFT, y), (RIGHT, y), FAINT, 1.0);
            canvas.text((LEFT - 8.0, y + 4.0), Anchor::End, INK, &short(tick));
        }
        canvas.line((LEFT, BOTTOM), (RIGHT, BOTTOM), INK, 1.0);
        for (place, name) in self.places.iter().enumerate() {
            let x = self.across(place);
            canvas.text((x, BOTTOM + 18.0), Anchor::Middle, INK, name);
        }
        let middle = f64::midpoint(LEFT, RIGHT);
        canvas.text((middle, HEIGHT - 14.0), Anchor::Middle, INK, &self.across);
        canvas.text_up((18.0, f64::midpoint(TOP, BOTTOM)), &self.up);
    }

    fn draw_curve(&self, canvas: &mut Canvas, heights: &Heights, series: &Series, colour: &str) {
        let mut last = None;
        for (place, point) in series.points.iter().enumerate() {
            let Some(point) = point else {
                last = None;
                continue;
            };
            let x = self.across(place);
            let here = (x, heights.of(point.median));
            if let Some(last) = last {
                canvas.line(last, here, colour, 2.0);
            }
            let (low, high) = (heights.of(point.low), heights.of(point.high));
            canvas.line((x, low), (x, high), colour, 1.0);
            canvas.dot(here, colour);
            last = Some(here);
        }
    }
}

/// Which value lies at which height.
struct Heights {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Heights {
    fn over(scale: Scale, values: &[f64]) -> Heights {
        let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let (low, high) = match scale {
            Scale::Linear => (0.0, most * 1.05),
            Scale::Logarithmic => {
                let least = values.iter().copied().fold(most, f64::min);
                let low = 10f64.powf(least.log10().floor());
                (low, 10f64.powf(most.log10().ceil()).max(low * 10.0))
            }
        };
        Heights { scale, low, high }
    }

    fn of(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => value / self.high,
            Scale::Logarithmic => (value / self.low).log10() / (self.high / self.low).log10(),
        };
        // A logarithm of nothing is as low as there is.
        let share = if share.is_nan() { 0.0 } else { share };
        BOTTOM - (BOTTOM - TOP) * share.clamp(0.0, 1.0)
    }

    fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = round_step(self.high / 5.0);
                let count = (self.high / step) as u32;
                (0..=count).map(|tick| f64::from(tick) * step).collect()
            }
            Scale::Logarithmic => {
                let powers = (self.high / self.low).log10().round() as i32;
                (0..=powers)
                    .map(|power| self.low * 10f64.powi(power))
                    .collect()
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|times| times * power);
    steps
        .into_iter()
        .find(|one| *one >= step)
        .unwrap_or(power * 10.0)
}

/// A number as an axis has it.
fn short(value: f64) -> String {
    let (scaled, ending) = match value {
        value if value >= 1e9 => (value / 1e9, " G"),
        value if value >= 1e6 => (value / 1e6, " M"),
        value if value >= 1e4 => (value / 1e3, " k"),
        value => (value, ""),
    };
    // Enough digits to tell the ticks of one axis apart, and no more.
    let rounded = (scaled * 1e6).round() / 1e6;
    format!("{rounded}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(scale: Scale, values: &[Option<f64>]) -> LinePlot {
        let point = |value: f64| Point {
            low: value,
            median: value,
            high: value,
        };
        LinePlot {
            title: "a title".into(),
            across: "places".into(),
            places: values
                .iter()
                .enumerate()
                .map(|(place, _)| place.to_string())
                .collect(),
            up: "us".into(),
            scale,
            series: vec![Series {
                name: "one".into(),
                points: values.iter().map(|value| value.map(point)).collect(),
            }],
        }
    }

    #[test]
    fn higher_values_lie_higher_and_all_within_the_area() {
        for scale in [Scale::Linear, Scale::Logarithmic] {
            let heights = plot(scale, &[Some(3.0), Some(4_000.0)]).heights();
            let (low, high) = (heights.of(3.0), heights.of(4_000.0));
            assert!(
                BOTTOM >= low && low > high && high >= TOP,
                "{scale:?}: {low} {high}"
            );
            let ticks = heights.ticks();
            assert!((2..=12).contains(&ticks.len()), "{ticks:?}");
        }
    }

    #[test]
    fn a_place_that_was_not_measured_interrupts_the_curve() {
        let lines = |values: &[Option<f64>]| {
            plot(Scale::Linear, values)
                .svg()
                .matches("stroke-width=\"2\"")
                .count()
        };
        assert_eq!(lines(&[Some(1.0), Some(2.0), Some(3.0)]), 2);
        assert_eq!(lines(&[Some(1.0), None, Some(3.0)]), 0);
        assert!(!plot(Scale::Logarithmic, &[Some(0.0)]).svg().contains("NaN"));
    }

    #[test]
    fn steps_are_round_and_numbers_short() {
        assert_eq!(round_step(0.3), 0.5);
        assert_eq!(round_step(130.0), 200.0);
        assert_eq!(round_step(7.0), 10.0);
        assert_eq!(short(250_000.0), "250 k");
        assert_eq!(short(0.1 + 0.2), "0.3");
    }
}
