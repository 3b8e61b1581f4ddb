//! What CloudWatch takes as an embedded metric (Amazon CloudWatch: "Specification: Embedded metric format").

use serde_json::Value;

/// Whether a log line is an embedded metric at all: everything else is only text to CloudWatch.
pub fn is_one(line: &Value) -> bool {
    line.get("_aws").is_some()
}

/// Says the first thing that CloudWatch would not take: it drops such metrics without a word.
///
/// # Errors
/// What is wrong, in words.
pub fn validate(line: &Value) -> Result<(), String> {
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().ok_or("no CloudWatchMetrics")?;
    if directives.is_empty() || line["_aws"]["Timestamp"].as_i64().is_none_or(|ms| ms <= 0) {
        return Err("no directive, or no time in milliseconds".to_owned());
    }
    for directive in directives {
        text(&directive["Namespace"], 1024)?;
        let sets = directive["Dimensions"].as_array().filter(|sets| !sets.is_empty()).ok_or("no Dimensions")?;
        for set in sets {
            let keys = set.as_array().filter(|keys| keys.len() <= 30).ok_or("a dimension set of over 30")?;
            for key in keys {
                let key = text(key, 250)?;
                text(&line[key], 1024).map_err(|why| format!("the dimension {key}: {why}"))?;
            }
        }
        let metrics = directive["Metrics"].as_array().filter(|m| (1..=100).contains(&m.len()));
        for metric in metrics.ok_or("not 1 to 100 Metrics")? {
            let name = text(&metric["Name"], 1024)?;
            if !matches!(metric["Unit"].as_str(), None | Some("Count" | "Milliseconds")) {
                return Err(format!("{name} has a unit that CloudWatch does not know"));
            }
            let value = &line[name];
            let numbers = value.as_array().filter(|values| (1..=100).contains(&values.len()));
            if !value.is_number() && !numbers.is_some_and(|values| values.iter().all(Value::is_number)) {
                return Err(format!("{name} is no number and no array of 1 to 100"));
            }
        }
    }
    Ok(())
}

fn text(value: &Value, longest: usize) -> Result<&str, String> {
    let fits = |text: &&str| (1..=longest).contains(&text.len()) && text.is_ascii();
    value.as_str().filter(fits).ok_or_else(|| format!("{value} is no text of 1 to {longest} ASCII characters"))
}
