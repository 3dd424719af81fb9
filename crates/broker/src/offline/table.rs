//! Tables of text: columns as wide as they need to be, the first to the left, the others to the right.

use std::io::{self, Write};

/// Writes `rows` below `header`, each line indented by two blanks.
pub(super) fn write<const N: usize>(
    out: &mut dyn Write,
    header: [&str; N],
    rows: &[[String; N]],
) -> io::Result<()> {
    let header = header.map(str::to_owned);
    let mut widths = header.each_ref().map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in std::iter::once(&header).chain(rows) {
        let mut line = String::from(" ");
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let cell = match column {
                0 => format!(" {cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            };
            line.push_str(&cell);
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut out = Vec::new();
        let rows = [
            ["a".to_owned(), "1".to_owned()],
            ["long".to_owned(), "12345".to_owned()],
        ];
        super::write(&mut out, ["name", "size"], &rows).unwrap();
        let expected = "  name   size\n  a         1\n  long  12345\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
