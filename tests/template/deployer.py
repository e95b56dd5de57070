"""Checks deploy/: both configuration files are accepted by template.yaml, and deployer-policy.json allows what creating, updating and
deleting each kind of resource takes, on the stack's own resources. `run` starts it.

usage: deployer.py PARLIAMENT
"""

import fnmatch
import json
import subprocess
import sys
import tomllib

import yaml
from cloudformation import ROOT, stacks, transformed

sys.path.insert(0, str(ROOT / "tests/support"))
from checks import Checks  # noqa: E402

# A resource of each type, and some of the actions that CloudFormation takes on it with the deployer's rights (the permissions of the
# handlers in the resource types' schemas).
REGION = "eu-central-1:123456789012"
API = "arn:aws:apigateway:eu-central-1::"
FUNCTION = f"arn:aws:lambda:{REGION}:function:predict-once-PredictOnce-1"
APPLICATION = f"arn:aws:codedeploy:{REGION}:application:predict-once-ServerlessDeploymentApplication-1"
GROUP = f"arn:aws:codedeploy:{REGION}:deploymentgroup:predict-once-ServerlessDeploymentApplication-1/predict-once-PredictOnce-1"
NEEDS = {
    "AWS::ApiGateway::ApiKey": (f"{API}/apikeys", "apigateway:POST apigateway:GET apigateway:DELETE"),
    "AWS::ApiGateway::Deployment": (f"{API}/restapis/a/deployments", "apigateway:POST apigateway:DELETE"),
    "AWS::ApiGateway::Method": (f"{API}/restapis/a/resources/b/methods/ANY", "apigateway:PUT apigateway:DELETE"),
    "AWS::ApiGateway::Resource": (f"{API}/restapis/a/resources/b", "apigateway:POST apigateway:DELETE"),
    "AWS::ApiGateway::RestApi": (f"{API}/restapis", "apigateway:POST apigateway:PATCH apigateway:DELETE"),
    "AWS::ApiGateway::Stage": (f"{API}/restapis/a/stages/live", "apigateway:POST apigateway:PATCH apigateway:DELETE"),
    "AWS::ApiGateway::UsagePlan": (f"{API}/usageplans", "apigateway:POST apigateway:PATCH apigateway:DELETE"),
    "AWS::ApiGateway::UsagePlanKey": (f"{API}/usageplans/a/keys", "apigateway:POST apigateway:DELETE"),
    "AWS::ApiGatewayV2::Api": (f"{API}/apis", "apigateway:POST apigateway:PATCH apigateway:DELETE"),
    "AWS::ApiGatewayV2::ApiMapping": (f"{API}/domainnames/a.example.com/apimappings", "apigateway:POST apigateway:PATCH apigateway:DELETE"),
    "AWS::ApiGatewayV2::DomainName": (f"{API}/domainnames", "apigateway:POST apigateway:PATCH apigateway:DELETE"),
    "AWS::ApiGatewayV2::Authorizer": (f"{API}/apis/a/authorizers", "apigateway:POST apigateway:PATCH apigateway:DELETE"),
    "AWS::ApiGatewayV2::Integration": (f"{API}/apis/a/integrations", "apigateway:POST apigateway:PATCH apigateway:DELETE"),
    "AWS::ApiGatewayV2::Route": (f"{API}/apis/a/routes", "apigateway:POST apigateway:PATCH apigateway:DELETE"),
    "AWS::ApiGatewayV2::Stage": (f"{API}/apis/a/stages", "apigateway:POST apigateway:PATCH apigateway:DELETE"),
    "AWS::CloudFormation::Stack": (
        f"arn:aws:cloudformation:{REGION}:stack/predict-once-Alarms-1/2",
        "cloudformation:CreateStack cloudformation:UpdateStack cloudformation:DeleteStack cloudformation:DescribeStacks",
    ),
    "AWS::CloudWatch::Alarm": (
        f"arn:aws:cloudwatch:{REGION}:alarm:predict-once-throttles",
        "cloudwatch:PutMetricAlarm cloudwatch:DescribeAlarms cloudwatch:DeleteAlarms",
    ),
    "AWS::CloudWatch::Dashboard": (
        "arn:aws:cloudwatch::123456789012:dashboard/predict-once",
        "cloudwatch:PutDashboard cloudwatch:GetDashboard cloudwatch:DeleteDashboards",
    ),
    "AWS::CodeDeploy::Application": (APPLICATION, "codedeploy:CreateApplication codedeploy:DeleteApplication"),
    "AWS::CodeDeploy::DeploymentGroup": (GROUP, "codedeploy:CreateDeploymentGroup codedeploy:UpdateDeploymentGroup codedeploy:CreateDeployment"),
    "AWS::DynamoDB::Table": (
        f"arn:aws:dynamodb:{REGION}:table/predict-once-CacheTable-1",
        "dynamodb:CreateTable dynamodb:DescribeTable dynamodb:UpdateTable dynamodb:UpdateTimeToLive dynamodb:DeleteTable",
    ),
    "AWS::EC2::SecurityGroup": (
        f"arn:aws:ec2:{REGION}:security-group/sg-1",
        "ec2:CreateSecurityGroup ec2:AuthorizeSecurityGroupEgress ec2:RevokeSecurityGroupEgress ec2:DeleteSecurityGroup",
    ),
    "AWS::EC2::SecurityGroupIngress": (
        f"arn:aws:ec2:{REGION}:security-group/sg-1",
        "ec2:AuthorizeSecurityGroupIngress ec2:RevokeSecurityGroupIngress",
    ),
    "AWS::EC2::Subnet": (f"arn:aws:ec2:{REGION}:subnet/subnet-1", "ec2:CreateSubnet ec2:DescribeSubnets ec2:DeleteSubnet"),
    "AWS::EC2::VPC": (f"arn:aws:ec2:{REGION}:vpc/vpc-1", "ec2:CreateVpc ec2:ModifyVpcAttribute ec2:DescribeVpcs ec2:DeleteVpc"),
    "AWS::ElastiCache::ParameterGroup": (
        f"arn:aws:elasticache:{REGION}:parametergroup:predict-once-cacheparameters-1",
        "elasticache:CreateCacheParameterGroup elasticache:ModifyCacheParameterGroup elasticache:DeleteCacheParameterGroup",
    ),
    "AWS::ElastiCache::ReplicationGroup": (
        f"arn:aws:elasticache:{REGION}:replicationgroup:predict-once-1",
        "elasticache:CreateReplicationGroup elasticache:ModifyReplicationGroup elasticache:IncreaseReplicaCount elasticache:DeleteReplicationGroup",
    ),
    "AWS::ElastiCache::ServerlessCache": (
        f"arn:aws:elasticache:{REGION}:serverlesscache:predict-once-1",
        "elasticache:CreateServerlessCache elasticache:ModifyServerlessCache elasticache:DeleteServerlessCache",
    ),
    "AWS::ElastiCache::SubnetGroup": (
        f"arn:aws:elasticache:{REGION}:subnetgroup:predict-once-cachesubnets-1",
        "elasticache:CreateCacheSubnetGroup elasticache:ModifyCacheSubnetGroup elasticache:DeleteCacheSubnetGroup",
    ),
    "AWS::ElastiCache::User": (
        f"arn:aws:elasticache:{REGION}:user:predict-once-1",
        "elasticache:CreateUser elasticache:ModifyUser elasticache:DescribeUsers elasticache:DeleteUser",
    ),
    "AWS::ElastiCache::UserGroup": (
        f"arn:aws:elasticache:{REGION}:usergroup:predict-once-1",
        "elasticache:CreateUserGroup elasticache:ModifyUserGroup elasticache:DeleteUserGroup",
    ),
    "AWS::IAM::Policy": ("arn:aws:iam::123456789012:role/predict-once-FunctionRole-1", "iam:PutRolePolicy iam:DeleteRolePolicy"),
    "AWS::IAM::Role": (
        "arn:aws:iam::123456789012:role/predict-once-FunctionRole-1",
        "iam:CreateRole iam:GetRole iam:PutRolePolicy iam:AttachRolePolicy iam:PassRole iam:DeleteRole",
    ),
    "AWS::Lambda::Alias": (
        FUNCTION,
        "lambda:CreateAlias lambda:UpdateAlias lambda:PutProvisionedConcurrencyConfig lambda:DeleteAlias",
    ),
    "AWS::Lambda::Function": (
        FUNCTION,
        "lambda:CreateFunction lambda:GetFunction lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration lambda:DeleteFunction"
        " lambda:PutFunctionConcurrency lambda:TagResource",
    ),
    "AWS::Lambda::Permission": (FUNCTION, "lambda:AddPermission lambda:RemovePermission"),
    "AWS::Lambda::Url": (
        FUNCTION,
        "lambda:CreateFunctionUrlConfig lambda:GetFunctionUrlConfig lambda:UpdateFunctionUrlConfig lambda:DeleteFunctionUrlConfig",
    ),
    "AWS::Lambda::Version": (FUNCTION, "lambda:PublishVersion lambda:ListVersionsByFunction"),
    "AWS::Logs::LogGroup": (
        f"arn:aws:logs:{REGION}:log-group:predict-once-FunctionLog-1",
        "logs:CreateLogGroup logs:PutRetentionPolicy logs:DeleteLogGroup",
    ),
    "AWS::Route53::RecordSet": ("arn:aws:route53:::hostedzone/Z1", "route53:ChangeResourceRecordSets route53:ListResourceRecordSets"),
    "AWS::WAFv2::WebACLAssociation": (
        f"arn:aws:wafv2:{REGION}:regional/webacl/a/b",
        "wafv2:AssociateWebACL wafv2:DisassociateWebACL wafv2:GetWebACLForResource",
    ),
    "AWS::SNS::Topic": (f"arn:aws:sns:{REGION}:predict-once-Alarms-1-Topic-1", "sns:CreateTopic sns:Subscribe sns:DeleteTopic"),
}
# The function that warms the cache has another prefix, which CodeDeploy demands.
HOOK = (
    f"arn:aws:lambda:{REGION}:function:CodeDeployHook_predict-once",
    NEEDS["AWS::Lambda::Function"][1].replace(" lambda:PutFunctionConcurrency", "") + " lambda:InvokeFunction",
)
# An inline policy of a role.
LONGEST = 10_240
# Another team's resources.
FOREIGN = {
    "iam:PutRolePolicy": "arn:aws:iam::123456789012:role/Administrator",
    "lambda:InvokeFunction": FUNCTION,
    "lambda:UpdateFunctionCode": f"arn:aws:lambda:{REGION}:function:payments",
    "cloudformation:DeleteStack": f"arn:aws:cloudformation:{REGION}:stack/payments/1",
    "dynamodb:DeleteTable": f"arn:aws:dynamodb:{REGION}:table/orders",
    "elasticache:DeleteReplicationGroup": f"arn:aws:elasticache:{REGION}:replicationgroup:sessions",
    "s3:GetObject": "arn:aws:s3:::payments/a",
    "secretsmanager:GetSecretValue": f"arn:aws:secretsmanager:{REGION}:secret:payments-1",
}

checks = Checks()


def listed(value):
    return value if isinstance(value, list) else [value]


def allows(policy, action, resource):
    return any(
        any(fnmatch.fnmatchcase(action, one) for one in listed(statement["Action"]))
        and any(fnmatch.fnmatchcase(resource, one) for one in listed(statement["Resource"]))
        for statement in policy["Statement"]
    )


def prove_policy(parliament):
    path = ROOT / "deploy/deployer-policy.json"
    policy = json.loads(path.read_text())
    accepted = yaml.safe_load((ROOT / "tests/template/configurations.yaml").read_text())["accepted"]
    templates = [template for parameters in accepted.values() for template in stacks(parameters).values()]
    types = {resource["Type"] for template in templates for resource in template["Resources"].values()}
    checks.equal("the actions of every type of resource are known", types, NEEDS.keys())
    for kind, (resource, actions) in (NEEDS | {"the function that warms the cache": HOOK}).items():
        denied = [action for action in actions.split() if not allows(policy, action, resource)]
        checks.check(f"the deployer may create, change and delete {kind}", not denied, denied)
    for action, resource in FOREIGN.items():
        checks.check(f"the deployer may not {action} elsewhere", not allows(policy, action, resource), resource)
    length = len(json.dumps(policy, separators=(",", ":")))
    checks.check(f"the policy fits into a role ({length} characters)", length <= LONGEST, length)
    done = subprocess.run([parliament, "--files", path], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    # A transform belongs to the account `aws`, which parliament takes for a mistake: so it finds that one, if it works.
    found = [line for line in done.stdout.splitlines() if line.strip()]
    checks.check("parliament finds nothing else", len(found) == 1 and "aws:transform/" in found[0], done.stdout + done.stderr)


def prove_configurations():
    for path in sorted((ROOT / "deploy").glob("*.toml")):
        config = tomllib.loads(path.read_text())["default"]
        parameters = dict(one.split("=", 1) for one in config["deploy"]["parameters"]["parameter_overrides"])
        template, _ = transformed(parameters)
        checks.check(f"template.yaml accepts {path.name}", len(template["Resources"]) > 5)
        checks.check(f"{path.name} authorises callers", parameters.get("Authorization", "none") != "none", parameters)
        checks.check(f"{path.name} asks nothing", config["deploy"]["parameters"]["confirm_changeset"] is False, config)
        named = config["global"]["parameters"]["stack_name"].startswith("predict-once")
        checks.check(f"{path.name}: the policy covers the stack", named, config)


def main():
    with checks.part("the policy"):
        prove_policy(sys.argv[1])
    with checks.part("the configurations"):
        prove_configurations()
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
