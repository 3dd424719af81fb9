//! A map of coloured cells: one value for each pair of a row and a column.

use super::svg::{Anchor, Canvas, INK};

const CELL_WIDTH: f64 = 92.0;
const CELL_HEIGHT: f64 = 34.0;
const LEFT: f64 = 150.0;
const TOP: f64 = 72.0;
const LEGEND_HEIGHT: f64 = 56.0;

/// From the least value to the most: dark to bright, so that it can be read without colour too.
const RAMP: [[f64; 3]; 5] = [
    [38.0, 20.0, 72.0],
    [40.0, 82.0, 140.0],
    [28.0, 142.0, 132.0],
    [122.0, 198.0, 78.0],
    [252.0, 230.0, 60.0],
];

/// What a cell says.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    /// What its colour is chosen by.
    pub(crate) value: f64,
    /// What is written in it.
    pub(crate) text: String,
}

/// Rows and columns of cells; a cell that was not measured stays empty.
#[derive(Clone, Debug)]
pub(crate) struct HeatMap {
    pub(crate) title: String,
    /// What the columns are.
    pub(crate) across: String,
    pub(crate) columns: Vec<String>,
    /// A name and its cells, one for each column.
    pub(crate) rows: Vec<(String, Vec<Option<Cell>>)>,
    /// What the values are, with their unit.
    pub(crate) value_name: String,
}

impl HeatMap {
    /// Draws it.
    pub(crate) fn svg(&self) -> String {
        let right = LEFT + CELL_WIDTH * self.columns.len() as f64;
        let bottom = TOP + CELL_HEIGHT * self.rows.len() as f64;
        let mut canvas = Canvas::new(right.max(500.0) + 16.0, bottom + LEGEND_HEIGHT);
        canvas.text((16.0, 24.0), Anchor::Start, INK, &self.title);
        canvas.text((LEFT - 8.0, TOP - 10.0), Anchor::End, INK, &self.across);
        for (column, name) in self.columns.iter().enumerate() {
            let x = LEFT + CELL_WIDTH * (column as f64 + 0.5);
            canvas.text((x, TOP - 10.0), Anchor::Middle, INK, name);
        }
        let (least, most) = self.bounds();
        for (row, (name, cells)) in self.rows.iter().enumerate() {
            let y = TOP + CELL_HEIGHT * row as f64;
            canvas.text((LEFT - 8.0, y + 21.0), Anchor::End, INK, name);
            for (column, cell) in cells.iter().enumerate() {
                let Some(cell) = cell else { continue };
                let x = LEFT + CELL_WIDTH * column as f64;
                draw_cell(&mut canvas, (x, y), cell, share(cell.value, least, most));
            }
        }
        self.draw_legend(&mut canvas, bottom + 20.0, least, most);
        canvas.finish()
    }

    fn bounds(&self) -> (f64, f64) {
        let cells = self.rows.iter().flat_map(|(_, cells)| cells).flatten();
        cells.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), cell| {
            (least.min(cell.value), most.max(cell.value))
        })
    }

    fn draw_legend(&self, canvas: &mut Canvas, y: f64, least: f64, most: f64) {
        const STEPS: usize = 20;
        for step in 0..STEPS {
            let x = LEFT + 6.0 * step as f64;
            let share = step as f64 / (STEPS - 1) as f64;
            canvas.rectangle(x, y, 6.5, 14.0, &colour(share));
        }
        let end = LEFT + 6.0 * STEPS as f64 + 12.0;
        let text = format!("{}: {least:.2} to {most:.2}", self.value_name);
        canvas.text((end, y + 12.0), Anchor::Start, INK, &text);
    }
}

fn draw_cell(canvas: &mut Canvas, (x, y): (f64, f64), cell: &Cell, share: f64) {
    canvas.rectangle(
        x + 1.0,
        y + 1.0,
        CELL_WIDTH - 2.0,
        CELL_HEIGHT - 2.0,
        &colour(share),
    );
    let ink = if share < 0.6 { "#ffffff" } else { "#000000" };
    let middle = (x + CELL_WIDTH / 2.0, y + 21.0);
    canvas.text(middle, Anchor::Middle, ink, &cell.text);
}

/// Where a value lies between the least and the most, 0 to 1.
fn share(value: f64, least: f64, most: f64) -> f64 {
    if most > least {
        (value - least) / (most - least)
    } else {
        1.0
    }
}

fn colour(share: f64) -> String {
    let at = share.clamp(0.0, 1.0) * (RAMP.len() - 1) as f64;
    let below = (at as usize).min(RAMP.len() - 2);
    let (from, to, part) = (RAMP[below], RAMP[below + 1], at - below as f64);
    let mixed = |channel: usize| {
        let value: f64 = from[channel] + (to[channel] - from[channel]) * part;
        value.round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", mixed(0), mixed(1), mixed(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(value: f64) -> Option<Cell> {
        let text = format!("{value}");
        Some(Cell { value, text })
    }

    #[test]
    fn the_least_and_the_most_have_the_ends_of_the_ramp() {
        let map = HeatMap {
            title: "a map".into(),
            across: "columns".into(),
            columns: vec!["a".into(), "b".into()],
            rows: vec![
                ("one".into(), vec![cell(1.0), None]),
                ("two".into(), vec![cell(2.0), cell(5.0)]),
            ],
            value_name: "GB/s".into(),
        };
        let svg = map.svg();
        let cells = |fill: &str| {
            let width = format!("width=\"{:.1}\"", CELL_WIDTH - 2.0);
            let is_cell = |line: &&str| line.contains(fill) && line.contains(&width);
            svg.lines().filter(is_cell).count()
        };
        assert_eq!((cells(&colour(0.0)), cells(&colour(1.0))), (1, 1));
        assert!(svg.contains("GB/s: 1.00 to 5.00"), "{svg}");
    }

    #[test]
    fn one_value_alone_has_a_colour() {
        assert_eq!(share(3.0, 3.0, 3.0), 1.0);
        assert_eq!(colour(1.0), "#fce63c");
        assert_eq!(colour(0.0), "#261448");
    }
}
