"""Reads the interface by reflection alone, and an error by its details. Arguments: the address, a token, the proto folder."""

import json
import pathlib
import sys

import grpc
import google.rpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

address, token, protos = sys.argv[1:]
channel = grpc.insecure_channel(address)
database = ProtoReflectionDescriptorDatabase(channel)
pool = DescriptorPool(database)
services = {name: [method.name for method in pool.FindServiceByName(name).methods] for name in database.get_services()}

opening = pool.FindServiceByName("sallyport.v1.Tasks").methods_by_name["Open"]
asked, answered = GetMessageClass(opening.input_type), GetMessageClass(opening.output_type)
call = channel.unary_unary("/sallyport.v1.Tasks/Open", asked.SerializeToString, answered.FromString)
details = []
try:
    call(asked(), metadata=[("authorization", f"Bearer {token}")])
except grpc.RpcError as error:
    for detail in rpc_status.from_call(error).details:
        kind = getattr(error_details_pb2, detail.TypeName().rpartition(".")[2])()
        assert detail.Unpack(kind)
        details.append([detail.TypeName(), getattr(kind, "reason", "")])

health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
theirs = pathlib.Path(google.rpc.__path__[0])
same = [(theirs / name).read_bytes() == (pathlib.Path(protos) / "google/rpc" / name).read_bytes() for name in ("status.proto", "error_details.proto")]
print(json.dumps({"services": services, "details": details, "serving": health.status == 1, "same": same}))
