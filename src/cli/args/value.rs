//! Values that are more than a number or a word.

use std::time::Duration;

pub fn age(text: &str) -> Result<Duration, String> {
    let seconds = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let read = seconds.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    match read.map(|(number, seconds)| (number.trim().parse::<u32>(), seconds)) {
        Some((Ok(number), seconds)) => Ok(Duration::from_secs(u64::from(number) * seconds)),
        _ => Err("an age is a number and its unit: 30d, 12h, 90m or 45s".into()),
    }
}

pub fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        Ok(_) => Err("a percentage is at least 0 and at most 100".into()),
        Err(_) => Err("not a number".into()),
    }
}

pub fn sample_percent(text: &str) -> Result<f64, String> {
    match percent(text) {
        Ok(0.0) => Err("a sample of nothing says nothing".into()),
        read => read,
    }
}

pub fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale <= 100.0 => Ok(scale),
        Ok(_) => Err("a scale is above 0 and at most 100".into()),
        Err(_) => Err("not a number".into()),
    }
}
