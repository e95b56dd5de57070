//! Prints the OpenAPI document: `make openapi` writes it to `docs/openapi.json`.

fn main() -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(&predict_once::http::openapi_document()?)?);
    Ok(())
}
