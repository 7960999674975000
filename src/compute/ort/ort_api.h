/* The part of ONNX Runtime's C ABI that is used here, by slot number: the library's table of
 * functions is an array that only ever grows, so a number stays valid for ever. No header of the
 * vendor is needed.
 *
 * Every line: slot, first minor version of 1.x that has it, name, return type, parameters. A
 * function whose version is above the library's stays NULL.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_ORT_API_H
#define IMS_COMPUTE_ORT_API_H

#include <stddef.h>
#include <stdint.h>

/* Opaque to callers of the C API. */
typedef struct ort_status ort_status; /* NULL = success */
typedef struct ort_env ort_env;
typedef struct ort_session ort_session;
typedef struct ort_session_options ort_session_options;
typedef struct ort_run_options ort_run_options;
typedef struct ort_value ort_value;
typedef struct ort_memory_info ort_memory_info;
typedef struct ort_allocator ort_allocator;
typedef struct ort_type_info ort_type_info;
typedef struct ort_tensor_info ort_tensor_info;
typedef struct ort_cuda_options ort_cuda_options;
typedef struct ort_tensorrt_options ort_tensorrt_options;
typedef struct ort_assigned_subgraph ort_assigned_subgraph;
typedef struct ort_assigned_node ort_assigned_node;

typedef void (*ort_log_fn)(void *param, int severity, const char *category, const char *log_id,
                           const char *location, const char *message);

enum {
    ORT_LOG_VERBOSE = 0,
    ORT_LOG_WARNING = 2,
    ORT_LOG_ERROR = 3,
    ORT_OPTIMISE_NONE = 0,
    ORT_OPTIMISE_ALL = 99,
    ORT_SEQUENTIAL = 0,
    ORT_ALLOCATOR_ARENA = 1,
    ORT_MEMORY_DEFAULT = 0,
    ORT_ONNX_TENSOR = 1
};

/* Error codes. */
enum {
    ORT_FAIL = 1,
    ORT_INVALID_ARGUMENT = 2,
    ORT_NO_SUCH_FILE = 3,
    ORT_NO_MODEL = 4,
    ORT_ENGINE_ERROR = 5,
    ORT_RUNTIME_EXCEPTION = 6,
    ORT_INVALID_PROTOBUF = 7,
    ORT_MODEL_LOADED = 8,
    ORT_NOT_IMPLEMENTED = 9,
    ORT_INVALID_GRAPH = 10,
    ORT_EP_FAIL = 11,
    ORT_DEVICE_RESET = 15
};

/* clang-format off */
#define ORT_FUNCTIONS(X)                                                                           \
    X(  1,  1, GetErrorCode, int, (const ort_status *))                                            \
    X(  2,  1, GetErrorMessage, const char *, (const ort_status *))                                \
    X( 93,  1, ReleaseStatus, void, (ort_status *))                                                \
    X(  4,  1, CreateEnvWithCustomLogger, ort_status *,                                            \
      (ort_log_fn, void *, int, const char *, ort_env **))                                         \
    X(  6,  1, DisableTelemetryEvents, ort_status *, (const ort_env *))                            \
    X( 92,  1, ReleaseEnv, void, (ort_env *))                                                      \
    X(254, 15, GetBuildInfoString, const char *, (void))                                           \
    X(125,  4, GetAvailableProviders, ort_status *, (char ***, int *))                             \
    X(126,  4, ReleaseAvailableProviders, ort_status *, (char **, int))                            \
    X( 10,  1, CreateSessionOptions, ort_status *, (ort_session_options **))                       \
    X(100,  1, ReleaseSessionOptions, void, (ort_session_options *))                               \
    X( 13,  1, SetSessionExecutionMode, ort_status *, (ort_session_options *, int))                \
    X( 17,  1, DisableMemPattern, ort_status *, (ort_session_options *))                           \
    X( 19,  1, DisableCpuMemArena, ort_status *, (ort_session_options *))                          \
    X( 20,  1, SetSessionLogId, ort_status *, (ort_session_options *, const char *))               \
    X( 22,  1, SetSessionLogSeverityLevel, ort_status *, (ort_session_options *, int))             \
    X( 23,  1, SetSessionGraphOptimizationLevel, ort_status *, (ort_session_options *, int))       \
    X( 24,  1, SetIntraOpNumThreads, ort_status *, (ort_session_options *, int))                   \
    X( 25,  1, SetInterOpNumThreads, ort_status *, (ort_session_options *, int))                   \
    X(124,  3, AddFreeDimensionOverrideByName, ort_status *,                                       \
      (ort_session_options *, const char *, int64_t))                                              \
    X(130,  5, AddSessionConfigEntry, ort_status *,                                                \
      (ort_session_options *, const char *, const char *))                                         \
    X(266, 17, SetUserLoggingFunction, ort_status *, (ort_session_options *, ort_log_fn, void *))  \
    X(216, 12, SessionOptionsAppendExecutionProvider, ort_status *,                                \
      (ort_session_options *, const char *, const char *const *, const char *const *, size_t))     \
    X(204, 11, SessionOptionsAppendExecutionProvider_CUDA_V2, ort_status *,                        \
      (ort_session_options *, const ort_cuda_options *))                                           \
    X(205, 11, CreateCUDAProviderOptions, ort_status *, (ort_cuda_options **))                     \
    X(206, 11, UpdateCUDAProviderOptions, ort_status *,                                            \
      (ort_cuda_options *, const char *const *, const char *const *, size_t))                      \
    X(208, 11, ReleaseCUDAProviderOptions, void, (ort_cuda_options *))                             \
    X(170,  9, SessionOptionsAppendExecutionProvider_TensorRT_V2, ort_status *,                    \
      (ort_session_options *, const ort_tensorrt_options *))                                       \
    X(171,  9, CreateTensorRTProviderOptions, ort_status *, (ort_tensorrt_options **))             \
    X(172,  9, UpdateTensorRTProviderOptions, ort_status *,                                        \
      (ort_tensorrt_options *, const char *const *, const char *const *, size_t))                  \
    X(174,  9, ReleaseTensorRTProviderOptions, void, (ort_tensorrt_options *))                     \
    X(275, 17, SessionOptionsAppendExecutionProvider_OpenVINO_V2, ort_status *,                    \
      (ort_session_options *, const char *const *, const char *const *, size_t))                   \
    X(  7,  1, CreateSession, ort_status *,                                                        \
      (const ort_env *, const char *, const ort_session_options *, ort_session **))                \
    X(  8,  1, CreateSessionFromArray, ort_status *,                                               \
      (const ort_env *, const void *, size_t, const ort_session_options *, ort_session **))        \
    X( 95,  1, ReleaseSession, void, (ort_session *))                                              \
    X( 30,  1, SessionGetInputCount, ort_status *, (const ort_session *, size_t *))                \
    X( 31,  1, SessionGetOutputCount, ort_status *, (const ort_session *, size_t *))               \
    X( 33,  1, SessionGetInputTypeInfo, ort_status *,                                              \
      (const ort_session *, size_t, ort_type_info **))                                             \
    X( 34,  1, SessionGetOutputTypeInfo, ort_status *,                                             \
      (const ort_session *, size_t, ort_type_info **))                                             \
    X( 36,  1, SessionGetInputName, ort_status *,                                                  \
      (const ort_session *, size_t, ort_allocator *, char **))                                     \
    X( 37,  1, SessionGetOutputName, ort_status *,                                                 \
      (const ort_session *, size_t, ort_allocator *, char **))                                     \
    X( 98,  1, ReleaseTypeInfo, void, (ort_type_info *))                                           \
    X( 55,  1, CastTypeInfoToTensorInfo, ort_status *,                                             \
      (const ort_type_info *, const ort_tensor_info **))                                           \
    X( 56,  1, GetOnnxTypeFromTypeInfo, ort_status *, (const ort_type_info *, int *))              \
    X( 60,  1, GetTensorElementType, ort_status *, (const ort_tensor_info *, int *))               \
    X( 61,  1, GetDimensionsCount, ort_status *, (const ort_tensor_info *, size_t *))              \
    X( 62,  1, GetDimensions, ort_status *, (const ort_tensor_info *, int64_t *, size_t))          \
    X( 63,  1, GetSymbolicDimensions, ort_status *,                                                \
      (const ort_tensor_info *, const char **, size_t))                                            \
    X( 99,  1, ReleaseTensorTypeAndShapeInfo, void, (ort_tensor_info *))                           \
    X( 69,  1, CreateCpuMemoryInfo, ort_status *, (int, int, ort_memory_info **))                  \
    X( 94,  1, ReleaseMemoryInfo, void, (ort_memory_info *))                                       \
    X( 76,  1, AllocatorFree, ort_status *, (ort_allocator *, void *))                             \
    X( 78,  1, GetAllocatorWithDefaultOptions, ort_status *, (ort_allocator **))                   \
    X( 49,  1, CreateTensorWithDataAsOrtValue, ort_status *,                                       \
      (const ort_memory_info *, void *, size_t, const int64_t *, size_t, int, ort_value **))       \
    X( 50,  1, IsTensor, ort_status *, (const ort_value *, int *))                                 \
    X( 51,  1, GetTensorMutableData, ort_status *, (ort_value *, void **))                         \
    X( 65,  1, GetTensorTypeAndShape, ort_status *, (const ort_value *, ort_tensor_info **))       \
    X( 96,  1, ReleaseValue, void, (ort_value *))                                                  \
    X(  9,  1, Run, ort_status *,                                                                  \
      (ort_session *, const ort_run_options *, const char *const *, const ort_value *const *,      \
       size_t, const char *const *, size_t, ort_value **))                                         \
    X( 39,  1, CreateRunOptions, ort_status *, (ort_run_options **))                               \
    X( 97,  1, ReleaseRunOptions, void, (ort_run_options *))                                       \
    X(165,  8, AddRunConfigEntry, ort_status *,                                                    \
      (ort_run_options *, const char *, const char *))                                             \
    X( 41,  1, RunOptionsSetRunLogSeverityLevel, ort_status *, (ort_run_options *, int))           \
    X(407, 24, Session_GetEpGraphAssignmentInfo, ort_status *,                                     \
      (const ort_session *, const ort_assigned_subgraph *const **, size_t *))                      \
    X(408, 24, EpAssignedSubgraph_GetEpName, ort_status *,                                         \
      (const ort_assigned_subgraph *, const char **))                                              \
    X(409, 24, EpAssignedSubgraph_GetNodes, ort_status *,                                          \
      (const ort_assigned_subgraph *, const ort_assigned_node *const **, size_t *))
/* clang-format on */

struct ort_api {
#define X(slot, since, name, result, params) result(*name) params;
    ORT_FUNCTIONS(X)
#undef X
};

/* What OrtGetApiBase returns: two functions, never more. */
struct ort_api_base {
    const void *(*GetApi)(uint32_t version);
    const char *(*GetVersionString)(void);
};

#endif
