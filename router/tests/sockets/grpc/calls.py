"""A gRPC server (`serve`: prints its port) and its client (`call PORT`: prints `good`), on python's grpcio."""

import sys
import threading
from concurrent import futures

import grpc

SERVICE = "/test.Calls/"
LIMITS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def serve():
    def unary(request, context):
        context.set_trailing_metadata((("x-asked", str(len(request))),))
        return request[::-1]

    def fail(request, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not so: \u00e9")

    def count(request, context):
        for n in range(int(request)):
            yield str(n).encode()

    def gather(requests, context):
        return str(sum(len(request) for request in requests)).encode()

    def echo(requests, context):
        for request in requests:
            yield request

    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Gather": grpc.stream_unary_rpc_method_handler(gather),
        "Echo": grpc.stream_stream_rpc_method_handler(echo),
    }
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=LIMITS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Calls", handlers),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


def call(port):
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=LIMITS) as channel:
        unary = channel.unary_unary(SERVICE + "Unary")
        for length in (0, 1, 1000, 2_000_000):
            message = bytes(n % 251 for n in range(length))
            answer, about = unary.with_call(message, timeout=60, wait_for_ready=True)
            assert answer == message[::-1], length
            assert dict(about.trailing_metadata())["x-asked"] == str(length)
        try:
            channel.unary_unary(SERVICE + "Fail")(b"", timeout=60)
            raise AssertionError("it did not fail")
        except grpc.RpcError as error:
            assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "not so: \u00e9")
        try:
            channel.unary_unary(SERVICE + "Nothing")(b"", timeout=60)
            raise AssertionError("there is no such method")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNIMPLEMENTED
        assert [int(n) for n in channel.unary_stream(SERVICE + "Count")(b"500", timeout=60)] == list(range(500))
        assert channel.stream_unary(SERVICE + "Gather")((b"x" * 10_000 for _ in range(300)), timeout=60) == b"3000000"

        # Each message waits for the echo of the one before it.
        heard, changed = [], threading.Condition()

        def ordered():
            for n in range(50):
                with changed:
                    changed.wait_for(lambda: len(heard) >= n)
                yield str(n).encode()

        for answer in channel.stream_stream(SERVICE + "Echo")(ordered(), timeout=60):
            with changed:
                heard.append(int(answer))
                changed.notify_all()
        assert heard == list(range(50))
        at_once = [unary.future(str(n).encode(), timeout=60) for n in range(16)]
        assert [answer.result() for answer in at_once] == [str(n).encode()[::-1] for n in range(16)]
    print("good", flush=True)


if sys.argv[1] == "serve":
    serve()
else:
    call(sys.argv[2])
