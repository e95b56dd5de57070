# The service as a module: the function, its API and its cache, as template.yaml creates them in the common cases. docs/aws.md explains
# the choices; tests/infrastructure compares the module with template.yaml.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.29"
    }
  }
}

locals {
  has_table = var.cache == "dynamodb"
  is_url    = var.api == "url"
  is_iam    = var.authorization == "iam"
}

resource "aws_lambda_function" "this" {
  function_name                  = var.name
  filename                       = var.zip
  source_code_hash               = filebase64sha256(var.zip)
  handler                        = "bootstrap"
  runtime                        = "provided.al2023"
  architectures                  = ["arm64"]
  memory_size                    = 512
  timeout                        = 5
  role                           = aws_iam_role.this.arn
  reserved_concurrent_executions = var.reserved_concurrency
  # The API calls an alias of the published version, so that a deployment can move it, and move it back.
  publish = true

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  environment {
    variables = merge(
      { POWERTOOLS_SERVICE_NAME = var.name },
      local.has_table ? { CACHE_STORE = "dynamodb", DYNAMODB_TABLE = aws_dynamodb_table.cache[0].name } : {},
      var.cache == "redis" ? { REDIS_URL = var.redis_url } : {},
      var.settings,
    )
  }
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = 30
}

# --- Rights ---

resource "aws_iam_role" "this" {
  name_prefix = "${var.name}-"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "log" {
  name = "log"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.this.arn}:*"
    }]
  })
}

resource "aws_iam_role_policy" "cache" {
  count = local.has_table ? 1 : 0
  name  = "cache"
  role  = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["dynamodb:BatchGetItem", "dynamodb:BatchWriteItem"]
      Resource = aws_dynamodb_table.cache[0].arn
    }]
  })
}

# --- The cache ---

resource "aws_dynamodb_table" "cache" {
  count        = local.has_table ? 1 : 0
  name         = "${var.name}-cache"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "key"

  attribute {
    name = "key"
    type = "S"
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }
}

# --- The API: a function URL. Without authorisation, the provider adds the permissions that Lambda requires for it. ---

resource "aws_lambda_function_url" "this" {
  count              = local.is_url ? 1 : 0
  function_name      = aws_lambda_function.this.function_name
  qualifier          = aws_lambda_alias.live.name
  authorization_type = local.is_iam ? "AWS_IAM" : "NONE"

  lifecycle {
    precondition {
      condition     = local.is_iam || var.reserved_concurrency > 0
      error_message = "Without authorisation, only reserved_concurrency limits what callers of a function URL can cost: set it."
    }
  }
}

# --- The API: an HTTP API ---

resource "aws_apigatewayv2_api" "this" {
  count         = local.is_url ? 0 : 1
  name          = var.name
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "this" {
  count                  = local.is_url ? 0 : 1
  api_id                 = aws_apigatewayv2_api.this[0].id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_alias.live.invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "this" {
  count  = local.is_url ? 0 : 1
  api_id = aws_apigatewayv2_api.this[0].id
  # All methods and paths: the model defines the routes, and for any other the function suggests the closest one.
  route_key          = "$default"
  target             = "integrations/${aws_apigatewayv2_integration.this[0].id}"
  authorization_type = local.is_iam ? "AWS_IAM" : "NONE"
}

resource "aws_apigatewayv2_stage" "this" {
  count       = local.is_url ? 0 : 1
  api_id      = aws_apigatewayv2_api.this[0].id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = var.throttling_rate
    throttling_burst_limit = var.throttling_burst
  }
}

resource "aws_lambda_permission" "api" {
  count         = local.is_url ? 0 : 1
  function_name = aws_lambda_function.this.function_name
  qualifier     = aws_lambda_alias.live.name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this[0].execution_arn}/*/$default"
}
