//! The floor of `make bench`: the least that a Lambda function in Rust can do with an HTTP event. `plain_lambda` asks Redis or
//! runs a model as well.

use lambda_http::{Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: Request| {
        let response = Response::builder().header("content-type", "application/json");
        response.body(r#"{"decision":"ACCEPT"}"#.to_owned()).map_err(Error::from)
    }))
    .await
}
