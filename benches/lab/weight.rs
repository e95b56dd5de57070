//! The memory of an input with all its predictions in Redis, in each layout and with naive keys for comparison.

use std::{error::Error, io};

use prediction_cache::Layout;
use serde_json::Value;

use super::{
    catalogue::{Catalogue, Entries, set},
    server::Server,
    wire::{Reply, encode},
};

/// Bytes per input, with all of its predictions and their time to live.
#[derive(Clone, Debug)]
pub(crate) struct Weight {
    pub(crate) name: &'static str,
    /// The mean length of a key.
    pub(crate) key_length: f64,
    pub(crate) keys_per_input: f64,
    /// The sum of `MEMORY USAGE` over its keys.
    pub(crate) usage: f64,
    /// The growth of `used_memory`, which includes the tables of keys and times to live.
    pub(crate) used: f64,
    /// The growth of the process's memory according to the operating system.
    pub(crate) resident: f64,
    /// The growth of `used_memory` for all inputs.
    pub(crate) total: u64,
}

pub(crate) const PLAIN: &str = "plain";

/// Measures the naive keys and then each layout, each in its own server.
pub(crate) async fn weigh(catalogue: &Catalogue, layouts: &[Entries]) -> Result<Vec<Weight>, Box<dyn Error>> {
    let string = layouts.iter().find(|entries| entries.layout == Layout::String).ok_or("no layout string")?;
    let inputs = catalogue.shape().inputs;
    let plain = plain_keys(catalogue);
    let stores: Vec<_> = plain.iter().zip(&string.values).map(|(key, value)| set(key.as_bytes(), value)).collect();
    let mut weights = vec![weigh_entries(PLAIN, inputs, &plain, &stores).await?];
    for entries in layouts {
        let keys: Vec<_> = entries.keys.iter().map(|key| key.as_str().to_owned()).collect();
        weights.push(weigh_entries(entries.layout.name(), inputs, &keys, &entries.stores).await?);
    }
    Ok(weights)
}

async fn weigh_entries(name: &'static str, inputs: usize, keys: &[String], stores: &[Vec<u8>]) -> io::Result<Weight> {
    let mut server = Server::start().await?;
    let before = [server.wire.info_number("used_memory")?, server.wire.info_number("used_memory_rss")?];
    let errors = server.pipe(stores)?;
    let mut distinct: Vec<_> = keys.iter().collect();
    // The fields of a Hash are adjacent.
    distinct.dedup();
    if !errors.is_empty() || server.wire.command(&["DBSIZE"])? != Reply::Number(distinct.len() as i64) {
        return Err(io::Error::other(format!("{name}: not everything was stored: {:?}", errors.first())));
    }
    // Redis rehashes grown tables in small steps.
    let mut used = 0;
    loop {
        std::thread::sleep(std::time::Duration::from_millis(300));
        let now = server.wire.info_number("used_memory")?;
        if now == used {
            break;
        }
        used = now;
    }
    let resident = server.wire.info_number("used_memory_rss")?;
    let usage = distinct.iter().map(|key| encode(&[b"MEMORY", b"USAGE", key.as_bytes()])).collect::<Vec<_>>();
    let usage: i64 = server.numbers(&usage)?.iter().sum();
    let per_input = |bytes: u64| bytes as f64 / inputs as f64;
    Ok(Weight {
        name,
        key_length: distinct.iter().map(|key| key.len()).sum::<usize>() as f64 / distinct.len() as f64,
        keys_per_input: distinct.len() as f64 / inputs as f64,
        usage: per_input(usage.unsigned_abs()),
        used: per_input(used - before[0]),
        resident: per_input(resident.saturating_sub(before[1])),
        total: used - before[0],
    })
}

impl Server {
    /// Sends commands in batches and returns the error replies.
    fn pipe(&mut self, commands: &[Vec<u8>]) -> io::Result<Vec<Reply>> {
        let mut errors = Vec::new();
        for portion in commands.chunks(100) {
            let replies = portion.iter().map(|commands| if commands.starts_with(b"*1\r\n$5\r\nMULTI") { 4 } else { 1 });
            self.wire.send(&portion.concat())?;
            for _ in 0..replies.sum() {
                let reply = self.wire.reply()?;
                if matches!(reply, Reply::Error(_)) {
                    errors.push(reply);
                }
            }
        }
        Ok(errors)
    }

    fn numbers(&mut self, commands: &[Vec<u8>]) -> io::Result<Vec<i64>> {
        let mut numbers = Vec::with_capacity(commands.len());
        for portion in commands.chunks(100) {
            self.wire.send(&portion.concat())?;
            for _ in portion {
                let Reply::Number(number) = self.wire.reply()? else { return Err(io::Error::other("not a number")) };
                numbers.push(number);
            }
        }
        Ok(numbers)
    }
}

/// Naive keys: the endpoint and the input as Python prints a dictionary, `decisions:{'age_in_years': 30, …}`.
fn plain_keys(catalogue: &Catalogue) -> Vec<String> {
    let endpoints: Vec<_> =
        catalogue.model.signature().predictions().iter().map(|prediction| prediction.endpoint()).collect();
    let bodies = catalogue.bodies.iter();
    bodies.flat_map(|body| endpoints.iter().map(move |endpoint| format!("{endpoint}:{}", python(body)))).collect()
}

/// A JSON value as Python's `repr` prints it.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        Value::Array(values) => format!("[{}]", values.iter().map(python).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("'{name}': {}", python(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
    }
}
