// A stack with the service: `cdk deploy --app 'node app.mjs' -c zip=predict-once-lambda-arm64.zip -c api=url`.
import { App, CfnOutput, Stack } from "aws-cdk-lib";
import { PredictOnce } from "./predict-once.mjs";

const app = new App();
const context = (name, otherwise) => app.node.tryGetContext(name) ?? otherwise;
const stack = new Stack(app, "predict-once");
const service = new PredictOnce(stack, "PredictOnce", {
  zip: context("zip", "predict-once-lambda-arm64.zip"),
  api: context("api", "http"),
  authorization: context("authorization", "iam"),
  cache: context("cache", "dynamodb"),
  redisUrl: context("redisUrl"),
  reservedConcurrency: context("reservedConcurrency"),
});
new CfnOutput(stack, "ApiUrl", { value: service.url });
