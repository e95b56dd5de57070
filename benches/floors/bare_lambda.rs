//! The lower bound in `make bench`: the minimum that a Lambda function in Rust does with an HTTP event. `lookup_lambda` also asks
//! Redis, and `model_lambda` runs a model.

use lambda_http::{Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: Request| {
        let response = Response::builder().header("content-type", "application/json");
        response.body(r#"{"decision":"ACCEPT"}"#.to_owned()).map_err(Error::from)
    }))
    .await
}
