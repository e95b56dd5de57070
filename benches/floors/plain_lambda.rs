//! The lower bound in `make bench` with a cache and a model: a Lambda function in Rust that asks Redis for the answer to an HTTP event
//! (`REDIS_URL`), runs a model if Redis has none (`MODEL`, the graph), and does nothing else.
//!
//! It is separate from `bare_lambda` because a binary with a model engine starts more slowly.

use std::{env, sync::Arc};

use lambda_http::{Error, Request, Response, run, service_fn};
use redis::{AsyncCommands, Client};
use tract_onnx::prelude::*;

/// The example application as columns of the graph of `models/credit_risk`.
const ROW: [f32; 17] = [0., 0., 1., 0., 30., 1., 0., 1., 0., 0., 0., 0., 0., 0., 1., 0., 0.];

fn load(graph: &str) -> TractResult<Arc<TypedRunnableModel>> {
    let graph = tract_onnx::onnx().model_for_path(graph)?;
    graph.with_input_fact(0, f32::fact([1, ROW.len()]).into())?.into_optimized()?.into_runnable()
}

fn decide(model: &Arc<TypedRunnableModel>) -> TractResult<&'static str> {
    let outputs = model.run(tvec!(Tensor::from_shape(&[1, ROW.len()], &ROW)?.into_tvalue()))?;
    let probability = outputs[0].to_plain_array_view::<f32>()?[[0, 0]];
    Ok(if probability < 0.3 { r#"{"decision":"ACCEPT"}"# } else { r#"{"decision":"DECLINE"}"# })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let connection = match env::var("REDIS_URL") {
        Ok(url) => Some(Client::open(url)?.get_multiplexed_async_connection().await?),
        Err(_) => None,
    };
    let model = env::var("MODEL").ok().map(|graph| load(&graph)).transpose()?;
    run(service_fn(async |request: Request| {
        let stored: Option<String> = match connection.clone() {
            Some(mut connection) => connection.get(&request.body()[..]).await?,
            None => None,
        };
        let answer = match (stored, &model) {
            (Some(stored), _) => stored,
            (None, Some(model)) => decide(model)?.to_owned(),
            (None, None) => return Err("neither an answer in Redis nor a model".into()),
        };
        let response = Response::builder().header("content-type", "application/json");
        response.body(answer).map_err(Error::from)
    }))
    .await
}
