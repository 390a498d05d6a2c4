"""Authorizes one call with the generated client. Arguments: the service's address, a token, the request as JSON."""

import json
import sys

from sallyport_client import AuthenticatedClient
from sallyport_client.api.calls import authorize_call
from sallyport_client.models import AuthorizeRequest

url, token, request = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=token)
answer = authorize_call.sync(client=client, body=AuthorizeRequest.from_dict(json.loads(request)))
print(json.dumps(answer.to_dict()))
