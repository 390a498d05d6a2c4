"""Asks Sallyport over gRPC, with the dicts of the HTTP interface."""

import json

import grpc
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from follower import ServiceError
from sallyport.v1 import sallyport_pb2 as proto


class Service:
    def __init__(self, address: str, token: str):
        # By itself a client takes answers of 4 MiB, and some are larger. It does not notice a connection that went silent.
        options = {"max_receive_message_length": 128 << 20, "keepalive_time_ms": 10_000, "keepalive_timeout_ms": 3_000}
        options |= {"http2.ping_timeout_ms": 3_000, "http2.max_pings_without_data": 0}
        # Beyond this machine only over TLS.
        self.channel = grpc.insecure_channel(address, [(f"grpc.{name}", value) for name, value in options.items()])
        self.metadata = [("authorization", f"Bearer {token}")]

    def answers(self, rpc: str, request: dict, timeout: float = 5):
        """The answer, or each beat of a watch."""
        service, name = rpc.split("/")
        method = proto.DESCRIPTOR.services_by_name[service].methods_by_name[name]
        asked, answered = (GetMessageClass(each) for each in (method.input_type, method.output_type))
        kind = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        call = kind(f"/sallyport.v1.{rpc}", asked.SerializeToString, answered.FromString)
        limit = None if method.server_streaming else timeout
        try:
            answer = call(to_message(asked, request), timeout=limit, metadata=self.metadata)
            yield from map(from_message, answer if method.server_streaming else [answer])
        except grpc.RpcError as error:
            status, info = rpc_status.from_call(error), ErrorInfo()
            known = status is not None and status.details[0].Unpack(info)
            raise ServiceError(info.reason if known else f"unreachable: {error.details()}") from None


def to_message(kind, shape):
    """Names change to snake_case, free JSON is bytes, and a list that may be absent is a message with `values`."""
    message, shape = kind(), {"values": shape} if isinstance(shape, list) else shape
    for field in kind.DESCRIPTOR.fields:
        value = shape.get(field.json_name)
        if value is None:
            continue
        if field.message_type:
            inner = GetMessageClass(field.message_type)
            value = [to_message(inner, each) for each in value] if field.is_repeated else to_message(inner, value)
        if field.is_repeated:
            getattr(message, field.name).extend(value)
        elif field.message_type:
            getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, json.dumps(value).encode() if field.type == field.TYPE_BYTES else value)
    return message


def from_message(message):
    shape = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.has_presence and not message.HasField(field.name):
            continue
        if field.is_repeated:
            value = [from_message(each) if field.message_type else each for each in value]
        elif field.message_type:
            value = from_message(value)
        elif field.type == field.TYPE_BYTES:
            value = json.loads(value)
        shape[field.json_name] = value
    return shape["values"] if [*message.DESCRIPTOR.fields_by_name] == ["values"] else shape
