variable "name" {
  description = "Name of the function and its resources, and the dimension of its metrics."
  type        = string
  default     = "predict-once"
}

variable "zip" {
  description = "Path of the function's zip: of a release, or from make zip."
  type        = string
}

variable "api" {
  description = "url: a function URL. http: an HTTP API."
  type        = string
  default     = "http"

  validation {
    condition     = contains(["url", "http"], var.api)
    error_message = "api must be url or http."
  }
}

variable "authorization" {
  description = "How callers are authorised."
  type        = string
  default     = "iam"

  validation {
    condition     = contains(["iam", "none"], var.authorization)
    error_message = "authorization must be iam or none."
  }
}

variable "cache" {
  description = "Beside each environment's memory: none, a table in DynamoDB, or the Redis at redis_url."
  type        = string
  default     = "dynamodb"

  validation {
    condition     = contains(["none", "dynamodb", "redis"], var.cache)
    error_message = "cache must be none, dynamodb or redis."
  }
}

variable "redis_url" {
  description = "For cache redis: the URL of a Redis that the function reaches without a VPC, such as rediss://user@redis.example.com."
  type        = string
  default     = null
}

variable "reserved_concurrency" {
  description = "Execution environments reserved for this function, which is also its maximum. -1: it shares the account's limit."
  type        = number
  default     = -1
}

variable "throttling_rate" {
  description = "For api http: steady request rate limit, in requests per second."
  type        = number
  default     = 100
}

variable "throttling_burst" {
  description = "For api http: number of requests that the API accepts in a burst."
  type        = number
  default     = 200
}

variable "settings" {
  description = "Further settings of the service (docs/settings.md)."
  type        = map(string)
  default     = {}
}
