/* What the compute tests share: a handle per program, graphs by name, runs in one line.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_COMPUTE_FIXTURE_H
#define IMS_TESTS_COMPUTE_FIXTURE_H

#include "compute/compute.h"
#include "harness/test.h"

/* The device under test: $IMS_TEST_DEVICE, "cpu" without it. */
const char *fixture_device(void);
/* Makes a Vulkan driver known when the device under test is WebGPU: SwiftShader, a software one,
 * from $IMS_SWIFTSHADER_DIR, imgsearch's cache or Chromium's folder; one named by $VK_DRIVER_FILES
 * is left as it is. false, after saying why, when there is none (a failure when
 * $IMS_TEST_REQUIRE_WEBGPU is set). */
bool fixture_prepare(const char *device, int *out_exit_code);
/* One handle for the program, closed at its end. Fails the program when there is no runtime. */
struct ims_compute *fixture_compute(void);
/* Path of tests/contract/compute/graphs/NAME.onnx. */
const char *fixture_graph(const char *name);
/* Opens it; NULL after a test failure was recorded. options may be NULL. */
struct ims_compute_session *fixture_open(const char *name,
                                         const struct ims_compute_session_options *options);
struct ims_compute_value fixture_f32(const char *name, unsigned rank, const int64_t *shape,
                                     const float *data);
/* The largest |difference| that two devices may have on the test graphs. */
double fixture_tolerance(void);

#endif
