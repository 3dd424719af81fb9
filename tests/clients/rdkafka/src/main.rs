//! The agent and the group member by the crate rdkafka: `agent BOOTSTRAP`, or `member BOOTSTRAP GROUP TOPIC KIND INSTANCE`. What they do is told in `../../README.md`.

mod agent;
mod member;

use std::error::Error;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["agent", bootstrap] => agent::serve(bootstrap),
        ["member", bootstrap, group, topic, kind, instance] => {
            member::run(bootstrap, group, topic, kind, instance)
        }
        _ => Err("agent BOOTSTRAP, or member BOOTSTRAP GROUP TOPIC KIND INSTANCE".into()),
    }
}
