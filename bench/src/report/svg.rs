//! Two kinds of pictures, as SVG: bars in groups, and lines.

use std::fmt::Write as _;

use crate::statistics::digits;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;
const RIGHT: f64 = 160.0;
const BOTTOM: f64 = 40.0;
const COLOURS: [&str; 11] = [
    "#7f7f7f", "#1f77b4", "#17becf", "#9467bd", "#ff9896", "#d62728", "#98df8a", "#2ca02c", "#ffbb78", "#ff7f0e",
    "#8c564b",
];

/// One competitor in a picture: its numbers one by one, where it has them.
pub(super) struct Series<'a> {
    pub(super) name: &'a str,
    /// The number of its colour, the same in all pictures.
    pub(super) colour: usize,
    pub(super) values: Vec<Option<f64>>,
}

/// How high a number stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    FromZero,
    /// For numbers that differ by orders of magnitude.
    Logarithmic,
}

/// Bars: a group for each of `groups`, in it one for each of the series.
pub(super) fn bars(title: &str, groups: &[&str], series: &[Series<'_>], scale: Scale) -> String {
    let axis = Axis::over(series, scale);
    let mut body = axis.lines();
    let group = (WIDTH - LEFT - RIGHT) / groups.len().max(1) as f64;
    let bar = group * 0.85 / series.len().max(1) as f64;
    for (at, name) in groups.iter().enumerate() {
        let x = LEFT + group * at as f64;
        let _ = writeln!(
            body,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
            x + group / 2.0,
            HEIGHT - BOTTOM + 18.0,
            escaped(name)
        );
        for (index, one) in series.iter().enumerate() {
            let Some(value) = one.values.get(at).copied().flatten() else { continue };
            let top = axis.y(value);
            let _ = writeln!(
                body,
                r#"<rect x="{:.1}" y="{top:.1}" width="{:.1}" height="{:.1}" fill="{}"><title>{}: {}</title></rect>"#,
                x + group * 0.075 + bar * index as f64,
                bar * 0.9,
                HEIGHT - BOTTOM - top,
                colour(one),
                escaped(one.name),
                digits(value),
            );
        }
    }
    picture(title, &body, series)
}

/// Lines over numbers that grow from left to right.
pub(super) fn lines(title: &str, across: &[f64], series: &[Series<'_>], scale: Scale) -> String {
    let axis = Axis::over(series, scale);
    let mut body = axis.lines();
    let most = across.iter().copied().fold(1.0, f64::max);
    let x = |value: f64| LEFT + (WIDTH - LEFT - RIGHT) * value / most;
    for value in across {
        let _ = writeln!(
            body,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
            x(*value),
            HEIGHT - BOTTOM + 18.0,
            digits(*value).trim_end_matches(".00")
        );
    }
    for one in series {
        let points: Vec<(f64, f64)> =
            across.iter().zip(&one.values).filter_map(|(at, value)| Some((x(*at), axis.y((*value)?)))).collect();
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            body,
            r#"<polyline points="{}" fill="none" stroke="{}" stroke-width="2"/>"#,
            path.join(" "),
            colour(one)
        );
        for (x, y) in points {
            let _ = writeln!(body, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{}"/>"#, colour(one));
        }
    }
    picture(title, &body, series)
}

struct Axis {
    least: f64,
    most: f64,
    scale: Scale,
}

impl Axis {
    fn over(series: &[Series<'_>], scale: Scale) -> Self {
        let values = || series.iter().flat_map(|one| one.values.iter().flatten().copied()).filter(|value| *value > 0.0);
        let most = values().fold(0.0, f64::max);
        let most = if most > 0.0 { most } else { 1.0 };
        match scale {
            Scale::FromZero => {
                // The next of 1, 2, 5 times a power of ten that five steps reach.
                let power = 10_f64.powf((most / 5.0).log10().floor());
                let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|step| step * 5.0 >= most);
                Self { least: 0.0, most: step.unwrap_or(most) * 5.0, scale }
            }
            Scale::Logarithmic => {
                let least = 10_f64.powf(values().fold(most, f64::min).log10().floor());
                Self { least, most: 10_f64.powf(most.log10().ceil()).max(least * 10.0), scale }
            }
        }
    }

    fn y(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::FromZero => value / self.most,
            Scale::Logarithmic => (value.max(self.least) / self.least).log10() / (self.most / self.least).log10(),
        };
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share.clamp(0.0, 1.0)
    }

    fn lines(&self) -> String {
        let ticks: Vec<f64> = match self.scale {
            Scale::FromZero => (0..=5).map(|at| self.most / 5.0 * f64::from(at)).collect(),
            Scale::Logarithmic => std::iter::successors(Some(self.least), |tick| Some(tick * 10.0))
                .take_while(|tick| *tick <= self.most * 1.01)
                .collect(),
        };
        let mut text = String::new();
        for tick in ticks {
            let y = self.y(tick);
            let _ = writeln!(
                text,
                r##"<line x1="{LEFT}" x2="{:.1}" y1="{y:.1}" y2="{y:.1}" stroke="#ddd"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"##,
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0,
                digits(tick).trim_end_matches(".00"),
            );
        }
        text
    }
}

fn picture(title: &str, body: &str, series: &[Series<'_>]) -> String {
    let mut text = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>
<text x="{LEFT}" y="20" font-size="15">{}</text>
{body}"##,
        escaped(title)
    );
    for (index, one) in series.iter().enumerate() {
        let y = TOP + 20.0 * index as f64;
        let _ = writeln!(
            text,
            r#"<rect x="{:.1}" y="{y:.1}" width="12" height="12" fill="{}"/><text x="{:.1}" y="{:.1}">{}</text>"#,
            WIDTH - RIGHT + 12.0,
            colour(one),
            WIDTH - RIGHT + 30.0,
            y + 10.0,
            escaped(one.name),
        );
    }
    text + "</svg>\n"
}

fn colour(one: &Series<'_>) -> &'static str {
    COLOURS[one.colour % COLOURS.len()]
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[Option<f64>]) -> [Series<'_>; 1] {
        [Series { name: "one & only", colour: 1, values: values.to_vec() }]
    }

    #[test]
    fn a_bar_stands_as_high_as_its_number_asks() {
        // The axis ends at 5, so 2.5 is half of the 280 between top and bottom.
        let svg = bars("t", &["a", "b", "c"], &series(&[Some(2.5), None, Some(5.0)]), Scale::FromZero);
        assert!(svg.contains(r#"height="140.0""#), "{svg}");
        assert_eq!(svg.matches("<title>").count(), 2, "what is not there has no bar: {svg}");
        assert!(svg.contains("one &amp; only") && !svg.contains("one & only"));
    }

    #[test]
    fn orders_of_magnitude_are_steps_of_one_height() {
        let svg = bars("t", &["a", "b"], &series(&[Some(10.0), Some(1000.0)]), Scale::Logarithmic);
        assert!(svg.contains(r#"height="0.0""#) && svg.contains(r#"height="280.0""#), "{svg}");
    }

    #[test]
    fn lines_leave_out_what_is_missing() {
        let svg = lines("t", &[0.0, 4000.0, 8000.0], &series(&[Some(1.0), None, Some(5.0)]), Scale::FromZero);
        assert!(svg.contains(r#"points="70.0,264.0 700.0,40.0""#), "{svg}");
    }
}
