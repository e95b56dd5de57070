//! The floor of `make bench`: a Lambda function in Rust that answers every HTTP event with a constant. `plain_lambda` also asks Redis or
//! runs a model.

use lambda_http::{Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |_: Request| {
        let response = Response::builder().header("content-type", "application/json");
        response.body(r#"{"decision":"ACCEPT"}"#.to_owned()).map_err(Error::from)
    }))
    .await
}
