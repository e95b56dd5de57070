//! The lower bound in `make bench` with a cache: a Lambda function in Rust that fetches the answer to an HTTP event from Redis
//! (`REDIS_URL`) and does nothing else.

use std::env;

use lambda_http::{Error, Request, Response, run, service_fn};
use redis::{AsyncCommands, Client};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let connection = Client::open(env::var("REDIS_URL")?)?.get_multiplexed_async_connection().await?;
    run(service_fn(async |request: Request| {
        let stored: Option<String> = connection.clone().get(&request.body()[..]).await?;
        let response = Response::builder().header("content-type", "application/json");
        response.body(stored.ok_or("no answer in Redis")?).map_err(Error::from)
    }))
    .await
}
