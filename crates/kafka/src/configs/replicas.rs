//! Lists of throttled replicas: `*`, or `partition:broker` with commas between.

/// Whether `value` is such a list.
pub(super) fn check(name: &str, value: &str) -> Result<(), String> {
    let is_one = |element: &str| {
        let numbers = element.split_once(':');
        numbers.is_some_and(|(partition, broker)| {
            partition.parse::<u32>().is_ok() && broker.parse::<u32>().is_ok()
        })
    };
    if value.trim() == "*" || super::definition::elements(value).all(is_one) {
        return Ok(());
    }
    Err(format!(
        "{name}={value} is no list of replicas; allowed is * or partition:broker,…"
    ))
}
