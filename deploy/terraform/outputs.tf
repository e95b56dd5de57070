output "api_url" {
  description = "Base URL of the API; append /docs or another path."
  value = (
    local.is_url
    ? trimsuffix(aws_lambda_function_url.this[0].function_url, "/")
    : trimsuffix(aws_apigatewayv2_stage.this[0].invoke_url, "/")
  )
}

output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}
