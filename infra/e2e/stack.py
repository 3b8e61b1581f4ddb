"""The steps of a deployment that are not `sam deploy`'s. The emulator's address comes by the environment, as for the
AWS command line.

    stack.py package TEMPLATE BINARIES OUT   the folder that `sam build` makes, from binaries that are there
    stack.py prepare BUCKET SECRETS.json     the bucket for packages, and the secrets into SSM
    stack.py connect STACK OUT.json          the routes, and what the tests need to know of the stack
"""

import json
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from samcli.yamlhelper import yaml_dump, yaml_parse
from samtranslator.translator.transform import transform


def package(template, binaries, out):
    document = yaml_parse(Path(template).read_text())
    out = Path(out)
    for name, resource in document["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        binary = resource.pop("Metadata")["BuildProperties"]["Binary"]
        shutil.copy(Path(binaries) / binary, folder / "bootstrap")
        resource["Properties"]["CodeUri"] = name
    (out / "template.yaml").write_text(yaml_dump(document))


def prepare(bucket, secrets):
    wait_for_the_emulator()
    boto3.client("s3").create_bucket(Bucket=bucket)
    for name, value in json.loads(Path(secrets).read_text()).items():
        boto3.client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)


def wait_for_the_emulator():
    deadline = time.monotonic() + 30
    while True:
        try:
            boto3.client("sts").get_caller_identity()
            return
        except (BotoCoreError, ClientError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def connect(stack, out):
    formation = boto3.client("cloudformation")
    described = formation.describe_stack_resources(StackName=stack)["StackResources"]
    resources = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in described}
    # The emulator gives back what it was sent, not what it made of it: the same translator once more.
    template = yaml_parse(formation.get_template(StackName=stack)["TemplateBody"])
    template = transform(template, {}, SimpleNamespace(load=dict))
    routes = create_routes(template, resources)
    Path(out).write_text(json.dumps({"resources": resources, "routes": routes}, indent=2))
    print("routes: " + ", ".join(routes))


def create_routes(template, resources):
    """AWS reads them out of the OpenAPI text that SAM writes; the emulator does not."""
    gateway, made = boto3.client("apigatewayv2"), []
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::ApiGatewayV2::Api":
            continue
        api = resources[name]
        for path, methods in resource["Properties"]["Body"]["paths"].items():
            for method, operation in methods.items():
                uri = json.dumps(operation["x-amazon-apigateway-integration"]["uri"])
                function = next(one for one in resources if f"${{{one}.Arn}}" in uri)
                arn = f"arn:aws:lambda:us-east-1:000000000000:function:{resources[function]}"
                integration = gateway.create_integration(
                    ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
                )
                verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
                key = "$default" if path == "/$default" or path == "$default" else f"{verb} {path}"
                gateway.create_route(ApiId=api, RouteKey=key, Target=f"integrations/{integration['IntegrationId']}")
                made.append(f"{key} → {function}")
    return made


if __name__ == "__main__":
    {"package": package, "prepare": prepare, "connect": connect}[sys.argv[1]](*sys.argv[2:])
