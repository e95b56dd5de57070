"""Signs the cases in tests/iam/cases.json with botocore and writes tests/iam/golden.json: `tests/regenerate iam`.

The call is the one in AWS's documentation (https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html), with the clock
fixed at the case's time.
"""

import datetime
import json
from pathlib import Path
from unittest import mock
from urllib.parse import urlencode

from botocore.credentials import Credentials
from botocore.hooks import HierarchicalEmitter
from botocore.model import ServiceId
from botocore.signers import RequestSigner

HERE = Path(__file__).resolve().parent


def token(case: dict) -> str:
    credentials = Credentials(case["access_key_id"], case["secret_access_key"], case.get("session_token"))
    emitter = HierarchicalEmitter()  # a variable, because the signer holds only a weak reference
    signer = RequestSigner(ServiceId("elasticache"), case["region"], "elasticache", "v4", credentials, emitter)
    query = {"Action": "connect", "User": case["user"]}
    if case["serverless"]:
        query["ResourceType"] = "ServerlessCache"
    request = {
        "method": "GET",
        "url": f"http://{case['cache']}/?{urlencode(query)}",
        "body": {},
        "headers": {},
        "context": {},
    }
    now = datetime.datetime.fromtimestamp(case["unix_time"], datetime.timezone.utc)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now.replace(tzinfo=None)):
        url = signer.generate_presigned_url(request, operation_name="connect", expires_in=900, region_name=case["region"])
    return url.removeprefix("http://")


def main() -> None:
    cases = json.loads((HERE / "cases.json").read_text())
    golden = [{**case, "token": token(case)} for case in cases]
    (HERE / "golden.json").write_text(json.dumps(golden, indent=2) + "\n")


if __name__ == "__main__":
    main()
