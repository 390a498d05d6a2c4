"""An agent host: one call to a real MCP server, decided by Sallyport before it leaves."""

import asyncio
import json
import os
import sys
import time
import uuid

from mcp import ClientSession, StdioServerParameters, stdio_client
from mcp.types import PaginatedRequestParams

from follower import Follower, ServiceError, digest

# After these codes the same question may be sent again: nothing was done, or doing it twice changes nothing.
AGAIN = ("unreachable", "overloaded", "log_unavailable", "outcome_unknown", "view_stale")


class Refused(Exception):
    """The call may not be made, or may not go on."""


def raw(model) -> dict:
    """As the server sent it. Without `exclude_unset` each absent member is a null, and the digest another one."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


async def listed(method, name: str) -> list:
    page = await method()
    items = raw(page)[name]
    while page.next_cursor is not None:
        page = await method(params=PaginatedRequestParams(cursor=page.next_cursor))
        items += raw(page)[name]
    return items


async def definition_of(session: ClientSession) -> dict:
    greeting = await session.initialize()
    definition = {} if greeting.instructions is None else {"instructions": greeting.instructions}
    if greeting.capabilities.tools is not None:
        definition["tools"] = await listed(session.list_tools, "tools")
    if greeting.capabilities.prompts is not None:
        definition["prompts"] = await listed(session.list_prompts, "prompts")
    if greeting.capabilities.resources is not None:
        definition["resourceTemplates"] = await listed(session.list_resource_templates, "resourceTemplates")
    return definition


def definition_digest(definition: dict) -> str:
    fields = {"fieldSet": 1, "files": {}, "instructions": None}
    if "instructions" in definition:
        fields["instructions"] = digest(definition["instructions"])
    for name, key in (("tools", "name"), ("prompts", "name"), ("resourceTemplates", "uriTemplate")):
        fields[name] = {item[key]: digest(item) for item in definition.get(name, [])}
    return digest(fields)


class Host:
    def __init__(self, service):
        self.service, self.follower = service, Follower(service)
        self.follower.start()
        if not self.follower.ready.wait(10):
            raise Refused("no lease: the service does not answer")

    def ask(self, rpc: str, request: dict) -> dict:
        """Every question carries the id of what it makes, so a repeat does nothing twice."""
        for left in (2, 1, 0):
            try:
                return next(self.service.answers(rpc, request))
            except ServiceError as error:
                if left == 0 or not str(error).startswith(AGAIN):
                    raise
                time.sleep(0.25)

    def allow(self, task: dict, operation: str, observed: dict, arguments: dict) -> dict:
        """An allow that may be used now. Raises for anything else: whatever is no allow is a deny."""
        incarnation = self.follower.at[0]
        call = {"callId": str(uuid.uuid4()), "taskId": task["taskId"], "instanceId": self.follower.instance}
        call |= {"capability": "files", "operation": operation, "arguments": arguments, "observed": observed}
        decision = self.ask("Decisions/Authorize", call) | {"incarnation": incarnation}
        print(f"{operation}: {decision['decision']} ({decision['reason']})", flush=True)
        if decision["decision"] != "allow":
            raise Refused(f"refused: {decision['reason']}, obligations {decision['obligations']}")
        if decision["obligations"]:
            raise Refused(f"refused by this host: it cannot do {decision['obligations']}")
        self.keep(decision)
        return decision

    def keep(self, allow: dict):
        if (why := self.follower.void(allow)) is not None:
            raise Refused(f"refused by this host: {why}")


async def main(host: Host):
    user, scope = {"id": "ada", "roles": ["staff"]}, [{"capability": "files", "effects": ["read"]}]
    task = {"taskId": str(uuid.uuid4()), "agent": "scribe", "user": user, "purpose": "read the notes", "scope": scope}
    task = host.ask("Tasks/Open", task)
    try:
        await read_notes(host, task)
    finally:
        host.ask("Tasks/Close", {"taskId": task["taskId"], "reason": "done"})


async def read_notes(host: Host, task: dict):
    work = os.path.abspath(os.environ.get("EXAMPLES_WORK", "examples/work"))  # the server takes no relative path
    notes = os.path.join(work, "documents", "gates.txt")
    with open(os.path.join(work, "files.json")) as file:
        # A host of your own computes this proof from the server that it starts: docs/reference/servers.md.
        server = json.load(file)["version"]["manifest"]["server"]
    # Before the first byte to the server, and again when it is known what the server declares.
    host.allow(task, "$connect", {"server": server}, {})
    script = "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"
    start = StdioServerParameters(command="node", args=[script, os.path.dirname(notes)])
    async with stdio_client(start) as (read, write), ClientSession(read, write) as session:
        definition = await definition_of(session)
        # The digest is enough while the server is as it was reviewed. If not, the definition itself is the evidence.
        observed = {"server": server, "definitionDigest": definition_digest(definition)}
        if observed["definitionDigest"] not in [pin["definitionDigest"] for pin in task["pins"]]:
            observed = {"server": server, "definition": definition}
        host.allow(task, "$connect", observed, {})
        allow = host.allow(task, "read_text_file", observed, {"path": notes})
        of_call = {"callId": allow["callId"], "taskId": task["taskId"]}
        call = asyncio.ensure_future(session.call_tool("read_text_file", allow["outbound"]["arguments"]))
        try:
            while not call.done():
                await asyncio.wait([call], timeout=0.1)
                host.keep(allow)
        except Refused:
            call.cancel()  # the server may have done it already
            host.ask("Decisions/RecordOutcome", of_call | {"status": "unknown"})
            raise
        validated = host.ask("Decisions/ValidateResponse", of_call | {"result": raw(call.result())})
        print(f"response: {validated['verdict']}")
        for part in validated.get("content", {}).get("parts", []):
            print(part.get("text", ""))  # a text is quoted: the model reads it as evidence, never as an instruction
        status = "failed" if call.result().is_error else "succeeded"
        host.ask("Decisions/RecordOutcome", of_call | {"status": status, "effect": {"type": "read"}})


if __name__ == "__main__":
    with open(os.path.join(os.environ.get("SALLYPORT_DATA", "data"), "tokens.json")) as file:
        token = json.load(file)["host"]
    if "--grpc" in sys.argv:
        from over_grpc import Service

        service = Service(os.environ.get("SALLYPORT_GRPC", "127.0.0.1:7071"), token)
    else:
        from over_http import Service

        address = os.environ.get("SALLYPORT_HTTP", "127.0.0.1:7070")
        service = Service(os.environ.get("SALLYPORT_URL", f"http://{address}"), token)
    try:
        asyncio.run(main(Host(service)))
    except Exception as error:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if not isinstance(error, (Refused, ServiceError)):
            raise
        sys.exit(str(error))
