import numpy as np
from tensorflow_serving.apis import predict_pb2

from benchmarks.serving.request_parts import request_parts
from serving.server.execution.tensors import to_proto


def test_each_step_of_a_request_takes_time():
    request = predict_pb2.PredictRequest()
    request.inputs["text"].CopyFrom(to_proto(np.array([b"a film"], object)))
    response = predict_pb2.PredictResponse()
    response.outputs["probabilities"].CopyFrom(to_proto(np.float32([[0.25, 0.75]])))
    parts = request_parts(request.SerializeToString(), response.SerializeToString())
    assert list(parts) == ["parsing", "reading", "answering"]
    assert all(spent > 0 for spent in parts.values())
