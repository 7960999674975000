/* What hardware there is, what was asked for, and which device that makes: facts and one pure
 * function, without any inference runtime.
 *
 * The way from settings to a device:
 *     ims_device_request_read   settings (texts)                   -> request
 *     ims_device_probe*         this machine                       -> facts
 *     ims_device_choose         request + inventory + proofs       -> choice, or "prove this first"
 *
 * compute/ fills the inventory with what the runtime offers and supplies the proofs; it runs this
 * loop for its callers (ims_compute_choose). Nothing here logs: what the operator should read is
 * returned as the choice's notes.
 *
 * Thread-safe throughout: no function keeps state.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_DEVICE_DEVICE_H
#define IMS_DEVICE_DEVICE_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMS_MAX_DEVICES 16
#define IMS_MAX_PROOFS (IMS_MAX_DEVICES + IMS_DEVICE_KINDS)
#define IMS_DEVICE_NAME_BYTES 16 /* "migraphx", "cuda:15" */
#define IMS_DEVICE_TEXT_BYTES 320

typedef enum ims_device_kind {
    IMS_DEVICE_CPU,
    IMS_DEVICE_CUDA,
    IMS_DEVICE_TENSORRT,
    IMS_DEVICE_COREML,
    IMS_DEVICE_WEBGPU,
    IMS_DEVICE_OPENVINO,
    IMS_DEVICE_MIGRAPHX,
    IMS_DEVICE_KINDS /* how many there are */
} ims_device_kind;

struct ims_device_id {
    ims_device_kind kind;
    unsigned index; /* CUDA: the driver's number. CPU: 0, or 1, 2 ... for the further shares of a list */
};
bool ims_device_id_equal(struct ims_device_id a, struct ims_device_id b);
/* "cpu", "cpu:1", "cuda:1", "coreml" ... */
void ims_device_id_name(struct ims_device_id id, char out[IMS_DEVICE_NAME_BYTES]);
const char *ims_device_kind_name(ims_device_kind kind);     /* "cuda" */
const char *ims_device_kind_provider(ims_device_kind kind); /* "CUDAExecutionProvider" */
/* false when the name is no provider this program can use. Exact spelling. */
bool ims_device_kind_from_provider(const char *provider, ims_device_kind *out);

/* ---- what was asked for ---- */

/* The texts as the settings hold them; NULL or "" = not set. */
struct ims_device_settings {
    const char *flag;           /* --device */
    const char *device;         /* DEVICE */
    const char *pytorch_device; /* PYTORCH_DEVICE */
    const char *force_cpu;      /* FORCE_CPU */
    const char *onnx_providers; /* ONNX_PROVIDERS */
};

typedef enum ims_device_source {
    IMS_DEVICE_FROM_AUTO,
    IMS_DEVICE_FROM_FLAG,
    IMS_DEVICE_FROM_DEVICE,
    IMS_DEVICE_FROM_PYTORCH_DEVICE,
    IMS_DEVICE_FROM_FORCE_CPU
} ims_device_source;

#define IMS_MAX_DEVICE_NOTES 20
/* One thing the operator should know. is_warning: log it as a warning, otherwise as information. */
struct ims_device_note {
    bool is_warning;
    char text[IMS_DEVICE_TEXT_BYTES];
};
struct ims_device_notes {
    size_t n;
    struct ims_device_note at[IMS_MAX_DEVICE_NOTES];
};

struct ims_device_request {
    ims_device_source source;
    bool is_auto;
    bool is_cuda_all;
    char asked[64];                            /* the text that decided: "auto", "cuda:0,cuda:1" */
    size_t n_ids;                              /* 0 when is_auto or is_cuda_all */
    struct ims_device_id ids[IMS_MAX_DEVICES]; /* distinct, in the order given */
    bool has_permission;                       /* ONNX_PROVIDERS was set */
    size_t n_allowed;
    ims_device_kind allowed[IMS_DEVICE_KINDS]; /* in the order given, distinct */
    struct ims_device_notes notes;             /* DEVICE wins over FORCE_CPU, and the like */
};
const char *ims_device_source_name(ims_device_source source); /* "--device", "DEVICE", ... "auto" */

/* Names: auto cpu cuda cuda:N mps coreml webgpu openvino tensorrt migraphx, a comma-separated list
 * of them (without auto), cuda:all. cpu may stand in a list several times: as many sessions that
 * share the cores, numbered by index. Anything else is IMS_E_CONFIG (IMS_E_USAGE when it came from
 * the flag) with a text naming what is valid. */
ims_status ims_device_request_read(struct ims_device_request *out,
                                   const struct ims_device_settings *settings,
                                   ims_err *err) IMS_MUST_CHECK;

/* ---- what there is ---- */

struct ims_device_facts {
    char platform[16];      /* "Linux", "Darwin" */
    char machine[16];       /* "x86_64", "aarch64", "arm64" */
    char os[128];           /* "Debian GNU/Linux 12 (bookworm)" */
    char kernel[128];       /* release of the kernel */
    char cpu_model[128];    /* "" when the system does not say */
    char cpu_features[256]; /* instruction sets that matter here, separated by spaces */
    unsigned n_logical_cores;
    unsigned n_usable_cores;      /* ims_device_usable_cores() */
    uint64_t memory_bytes;        /* physical */
    uint64_t memory_usable_bytes; /* physical or the control group's limit, whichever is less */
    bool is_apple_silicon;
};
/* Fills what can be known; a fact the system does not give stays empty or 0. */
void ims_device_probe(struct ims_device_facts *out);

/* macOS on an ARM processor. */
bool ims_device_is_apple_silicon(void);

/* Cores this process may use: affinity mask and cgroup quota (v1, v2; rounded up), at least 1. */
unsigned ims_device_usable_cores(void);

struct ims_cuda_device {
    unsigned index; /* the driver's number: cuda:N, after CUDA_VISIBLE_DEVICES */
    char name[128]; /* "" = the driver lists the device and does not reach it */
    char uuid[48];   /* "GPU-8-4-4-4-12" */
    char pci_id[20]; /* "0000:01:00.0" */
    uint64_t memory_bytes;
    unsigned compute_major, compute_minor;
    /* From NVML, each by itself: a card that is divided (MIG) tells no utilisation, for one. */
    bool has_memory_used, has_utilisation;
    uint64_t memory_used_bytes;
    unsigned utilisation_percent;
    unsigned temperature_c, power_w; /* 0 = not told */
    char nvml_name[128];
};
struct ims_cuda_facts {
    bool has_driver; /* the CUDA driver library is there */
    bool has_nvml;
    /* Why the driver, or one of its devices, does not work; "" also when it shows no device. */
    char problem[256];
    char driver_version[32];         /* from NVML, "" without it */
    unsigned cuda_major, cuda_minor; /* newest CUDA the driver speaks */
    size_t n_devices;
    struct ims_cuda_device devices[IMS_MAX_DEVICES]; /* by index */
};
/* Is the CUDA driver's library there? Loads and starts nothing. */
bool ims_device_has_cuda_driver(void);
/* Asks libcuda and libnvidia-ml, both loaded now. Without a driver it returns within microseconds
 * with has_driver false. The driver library stays loaded once it was started: it cannot be unloaded
 * safely. */
void ims_device_probe_cuda(struct ims_cuda_facts *out);

#define IMS_MAX_VULKAN_ADAPTERS 8

/* The numbers are Vulkan's. */
typedef enum ims_vulkan_kind {
    IMS_VULKAN_OTHER,
    IMS_VULKAN_INTEGRATED,
    IMS_VULKAN_DISCRETE,
    IMS_VULKAN_VIRTUAL,
    IMS_VULKAN_CPU /* a driver in software: SwiftShader, llvmpipe */
} ims_vulkan_kind;
const char *ims_vulkan_kind_name(ims_vulkan_kind kind); /* "discrete", "cpu" */

struct ims_vulkan_adapter {
    char name[128];
    ims_vulkan_kind kind;
    uint32_t vendor_id, device_id; /* of PCI, for hardware */
    char driver_version[24];       /* "535.183.1.0" (NVIDIA's four), "23.2.1" */
    char driver_build[33];         /* hex: changes with the driver where its version does not */
    char api_version[24];          /* of Vulkan, that the driver speaks: "1.3.242" */
    uint64_t memory_bytes;         /* local to the device */
};
struct ims_vulkan_facts {
    bool has_loader;   /* libvulkan is there */
    char problem[128]; /* why it does not work; "" also when it works and shows nothing */
    size_t n_adapters;
    struct ims_vulkan_adapter adapters[IMS_MAX_VULKAN_ADAPTERS];
};
/* Is the Vulkan loader's library there? Loads and starts nothing. */
bool ims_device_has_vulkan_loader(void);
/* What WebGPU can choose from where it computes through Vulkan, in the loader's order. Loads the
 * loader, which loads every driver; they stay loaded. Without a loader, or with one that finds no
 * driver, there are no adapters and no problem. */
void ims_device_probe_vulkan(struct ims_vulkan_facts *out);

/* ---- which device that makes ---- */

struct ims_device_inventory {
    bool is_apple_silicon;
    bool has_cuda_driver;
    size_t n_cuda;                 /* devices the CUDA driver shows */
    char cuda_problem[256];        /* see ims_cuda_facts.problem */
    bool offers[IMS_DEVICE_KINDS]; /* providers compiled into the runtime */
};

typedef enum ims_proof_state {
    IMS_PROOF_NONE,   /* not tried */
    IMS_PROOF_PASSED, /* a session was created and a test graph gave the right numbers */
    IMS_PROOF_FAILED,
    IMS_PROOF_SLOWER /* right numbers, but slower than the CPU on the model in question */
} ims_proof_state;

struct ims_device_proof {
    struct ims_device_id id;
    ims_proof_state state;
    char text[IMS_DEVICE_TEXT_BYTES]; /* why it failed, or by how much it is slower */
};

struct ims_device_choice {
    bool is_final; /* false: prove needs_proof, add the result, call again */
    struct ims_device_id needs_proof;
    size_t n_ids; /* final: at least 1 */
    struct ims_device_id ids[IMS_MAX_DEVICES];
    char reason[IMS_DEVICE_TEXT_BYTES]; /* one sentence: why this device */
    struct ims_device_notes notes;      /* the request's notes, then what was passed over and why */
};

/* What could be asked for on this machine, for messages: "cpu, cuda:0; not tried: webgpu". Left out
 * is what failed its proof; not tried is what the runtime was built with and no proof was made of. */
void ims_device_list_here(const struct ims_device_inventory *inventory,
                          const struct ims_device_proof *proofs, size_t n_proofs, char *out,
                          size_t size);

/* Pure. A device asked for by name that is not there, not offered, not permitted or whose proof
 * failed is an error that names what is there; only auto (and a provider list under auto) moves on.
 * Errors: IMS_E_DEVICE (not there, proof failed), IMS_E_CONFIG (settings contradict each other). */
ims_status ims_device_choose(struct ims_device_choice *out,
                             const struct ims_device_request *request,
                             const struct ims_device_inventory *inventory,
                             const struct ims_device_proof *proofs, size_t n_proofs,
                             ims_err *err) IMS_MUST_CHECK;

#endif
