// The service as a construct: the function, its API and its cache, as template.yaml creates them in the common cases. docs/aws.md
// explains the choices; tests/infrastructure compares the result with template.yaml.
import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { HttpApi, HttpNoneAuthorizer } from "aws-cdk-lib/aws-apigatewayv2";
import { HttpIamAuthorizer } from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import { HttpLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import { AttributeType, BillingMode, Table } from "aws-cdk-lib/aws-dynamodb";
import { Alias, Architecture, Code, Function, FunctionUrlAuthType, Runtime } from "aws-cdk-lib/aws-lambda";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";

export class PredictOnce extends Construct {
  /**
   * @param {object} props
   * @param {string} props.zip the function's zip: of a release, or from `make zip`
   * @param {"url"|"http"} props.api a function URL, or an HTTP API
   * @param {"iam"|"none"} props.authorization how callers are authorised
   * @param {"none"|"dynamodb"|"redis"} props.cache beside each environment's memory: a table, or the Redis at `redisUrl`
   * @param {string} [props.redisUrl] of a Redis that the function reaches without a VPC
   * @param {number} [props.reservedConcurrency] required for a function URL that anybody may call: nothing else limits its bill
   * @param {Record<string, string>} [props.settings] further settings (docs/settings.md)
   */
  constructor(scope, id, props) {
    super(scope, id);
    const { zip, api, authorization, cache, redisUrl, reservedConcurrency, settings = {} } = props;
    if (!["url", "http"].includes(api)) throw new Error("api must be url or http");
    if (!["iam", "none"].includes(authorization)) throw new Error("authorization must be iam or none");
    if (!["none", "dynamodb", "redis"].includes(cache)) throw new Error("cache must be none, dynamodb or redis");
    if ((cache === "redis") !== Boolean(redisUrl)) throw new Error("redisUrl is required with cache redis, and only then");
    if (api === "url" && authorization === "none" && !reservedConcurrency) {
      throw new Error("an open function URL requires reservedConcurrency");
    }

    this.function = new Function(this, "Function", {
      runtime: Runtime.PROVIDED_AL2023,
      architecture: Architecture.ARM_64,
      handler: "bootstrap",
      code: Code.fromAsset(zip),
      memorySize: 512,
      timeout: Duration.seconds(5),
      reservedConcurrentExecutions: reservedConcurrency,
      logGroup: new LogGroup(this, "Log", { retention: RetentionDays.ONE_MONTH, removalPolicy: RemovalPolicy.DESTROY }),
      environment: { POWERTOOLS_SERVICE_NAME: id, ...settings },
    });
    if (cache === "dynamodb") {
      this.table = new Table(this, "Cache", {
        partitionKey: { name: "key", type: AttributeType.STRING },
        billingMode: BillingMode.PAY_PER_REQUEST,
        timeToLiveAttribute: "expires",
        // Cached predictions can be recomputed.
        removalPolicy: RemovalPolicy.DESTROY,
      });
      this.table.grant(this.function, "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem");
      this.function.addEnvironment("CACHE_STORE", "dynamodb");
      this.function.addEnvironment("DYNAMODB_TABLE", this.table.tableName);
    } else if (cache === "redis") {
      this.function.addEnvironment("REDIS_URL", redisUrl);
    }

    // The API calls an alias, so that a deployment can move it, and move it back.
    this.alias = new Alias(this, "Live", { aliasName: "live", version: this.function.currentVersion });
    if (api === "url") {
      const authType = authorization === "iam" ? FunctionUrlAuthType.AWS_IAM : FunctionUrlAuthType.NONE;
      this.url = this.alias.addFunctionUrl({ authType }).url;
    } else {
      this.url = new HttpApi(this, "Api", {
        defaultIntegration: new HttpLambdaIntegration("Integration", this.alias),
        defaultAuthorizer: authorization === "iam" ? new HttpIamAuthorizer() : new HttpNoneAuthorizer(),
      }).url;
    }
  }
}
