//! The lower bound in `make bench` with a model: a Lambda function in Rust that runs a model (`MODEL`, the graph) on a constant row unless
//! Redis (`REDIS_URL`, if set) has an answer to the HTTP event, and does nothing else.

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
    let model = load(&env::var("MODEL")?)?;
    run(service_fn(async |request: Request| {
        let stored: Option<String> = match connection.clone() {
            Some(mut connection) => connection.get(&request.body()[..]).await?,
            None => None,
        };
        let answer = stored.map_or_else(|| decide(&model).map(str::to_owned), Ok)?;
        let response = Response::builder().header("content-type", "application/json");
        response.body(answer).map_err(Error::from)
    }))
    .await
}
