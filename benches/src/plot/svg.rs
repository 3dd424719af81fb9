//! An SVG document as text: shapes are appended, and text is escaped. Its background is its own, so it reads the same on a dark page.

use std::fmt::Write;

/// What text of a picture looks like; sizes are in pixels.
const FONT: &str = "font-family=\"sans-serif\" font-size=\"12\"";
/// The colour of text and axes.
pub(super) const INK: &str = "#222222";
/// The colour of lines that only guide the eye.
pub(super) const FAINT: &str = "#dddddd";
/// Colours that the colour-blind tell apart too (Okabe and Ito).
pub(super) const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
];

/// Where a text is tied to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn word(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        }
    }
}

/// A picture that is being drawn; places are pixels from the top left.
#[derive(Debug)]
pub(super) struct Canvas {
    body: String,
    width: f64,
    height: f64,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Canvas {
        let mut canvas = Canvas {
            body: String::new(),
            width,
            height,
        };
        canvas.rectangle(0.0, 0.0, width, height, "#ffffff");
        canvas
    }

    pub(super) fn rectangle(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str) {
        self.push(&format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>"
        ));
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.push(&format!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
        ));
    }

    pub(super) fn dot(&mut self, (x, y): (f64, f64), colour: &str) {
        self.push(&format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>"
        ));
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, colour: &str, text: &str) {
        self.push(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{}\" fill=\"{colour}\">{}</text>",
            anchor.word(),
            escaped(text)
        ));
    }

    /// Text that runs upwards, in the middle of `at`.
    pub(super) fn text_up(&mut self, (x, y): (f64, f64), text: &str) {
        self.push(&format!(
            "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"middle\" fill=\"{INK}\">{}</text>",
            escaped(text)
        ));
    }

    /// The whole document.
    pub(super) fn finish(self) -> String {
        let Canvas {
            body,
            width,
            height,
        } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" {FONT}>\n{body}</svg>\n"
        )
    }

    fn push(&mut self, element: &str) {
        // Writing into a string does not fail.
        let _ = writeln!(self.body, "{element}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_end_the_element_it_stands_in() {
        let mut canvas = Canvas::new(10.0, 20.0);
        canvas.text((1.0, 2.0), Anchor::End, INK, "<a> & b");
        let svg = canvas.finish();
        assert!(svg.contains(">&lt;a&gt; &amp; b</text>"), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("viewBox=\"0 0 10 20\""), "{svg}");
    }
}
