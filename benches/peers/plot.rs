//! A picture of cost against the number of jobs, on scales of powers of ten.

use crate::page::grouped;
use plotters::prelude::*;

/// One program's figures.
#[derive(Clone, Debug)]
pub struct Line {
    /// Whose.
    pub name: String,
    /// Jobs, and milliseconds.
    pub points: Vec<(usize, f64)>,
}

impl Line {
    /// One without figures.
    pub fn of(name: String) -> Self {
        Self { name, points: Vec::new() }
    }
}

/// The picture.
#[derive(Clone, Debug)]
pub struct Plot {
    /// The end of its file's name.
    pub file: String,
    /// What it shows.
    pub title: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// None is drawn at 0, which has no place on such a scale; the empty queue stands here.
const EMPTY: f64 = 30.0;

impl Plot {
    /// The picture as SVG.
    pub fn svg(&self) -> String {
        let mut text = String::new();
        self.draw(&mut text).expect("a picture");
        text
    }

    fn draw(&self, text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
        let all = || self.lines.iter().flat_map(|line| line.points.iter().copied());
        let most = all().map(|(jobs, _)| jobs as f64).fold(EMPTY, f64::max) * 1.2;
        let slowest = all().map(|(_, time)| time).fold(1.0, f64::max) * 1.5;
        let fastest = all().map(|(_, time)| time).fold(slowest, f64::min) / 1.5;
        let area = SVGBackend::with_string(text, (760, 420)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d((EMPTY * 0.9..most).log_scale(), (fastest..slowest).log_scale())?;
        chart
            .configure_mesh()
            .x_desc("jobs that wait (leftmost: none)")
            .y_desc("milliseconds")
            .x_label_formatter(&|jobs| if *jobs < 100.0 { "0".to_owned() } else { grouped(*jobs as usize) })
            .y_label_formatter(&|time| {
                if *time < 1.0 { format!("{time:.1}") } else { grouped(*time as usize) }
            })
            .light_line_style(WHITE.mix(0.0))
            .draw()?;
        for (place, line) in self.lines.iter().enumerate() {
            let color = Palette99::pick(place).to_rgba();
            let points = line.points.iter().map(|(jobs, time)| ((*jobs as f64).max(EMPTY), *time));
            chart
                .draw_series(LineSeries::new(points, color.stroke_width(2)).point_size(3))?
                .label(&line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        area.present()?;
        Ok(())
    }
}
