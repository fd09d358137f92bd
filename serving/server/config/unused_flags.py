"""The flags of tensorflow_model_server that change nothing here. Imports nothing heavy."""

from typing import Final

# Flag → why it changes nothing.
WITHOUT_EFFECT: Final = {
    "enable_per_model_batching_parameters": "all models share the batching parameters",
    "enable_profiler": "there is no profiler service",
    "enable_serialization_as_tensor_content": "responses hold their values in typed fields",
    "flush_filesystem_caches": "models are read without a cache of files",
    "grpc_max_threads": "one event loop answers all connections",
    "mixed_precision": "models run as they were saved",
    "num_tflite_interpreters_per_pool": "TensorFlow Lite models are not served",
    "num_tflite_pools": "TensorFlow Lite models are not served",
    "num_unload_threads": "a version is unloaded by the thread of its model",
    "per_process_gpu_memory_fraction": "models run on the CPU",
    "platform_config_file": "SavedModels are the only platform",
    "prefer_tflite_model": "TensorFlow Lite models are not served, so saved_model.pb is used",
    "remove_unused_fields_from_bundle_metagraph": "unused fields are always removed",
    "rest_api_num_threads": "one event loop answers all connections",
    "skip_initialize_tpu": "models run on the CPU",
    "tensorflow_inter_op_parallelism": "each core runs one request at a time",
    "tensorflow_intra_op_parallelism": "each core runs one request at a time",
    "tensorflow_session_config_file": "each core runs one request at a time, in a session made for this",
    "tensorflow_session_parallelism": "each core runs one request at a time",
    "thread_pool_factory_config_file": "each core runs one request at a time",
    "xla_cpu_compilation_enabled": "models run as they were saved",
}
