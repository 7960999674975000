/* A process that used the WebGPU provider, or tried to, must end like any other.
 *
 * Some builds abort at exit when objects are released in the wrong order, so each case runs in a
 * child.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program;

/* What the child does; returns its exit code. */
static int act(const char *mode)
{
    struct ims_compute_options options = { .device = { .flag = "webgpu" }, .n_threads = 1 };
    struct ims_compute_graph graph = { .path = fixture_graph("chain") };
    struct ims_compute_session *s = NULL;
    struct ims_compute *c = NULL;
    struct ims_compute_value in, out = { .name = NULL };
    static float x[32];
    ims_err err = { .text = "" };

    if (ims_compute_open(&c, &options, &err) != IMS_OK)
        return 10;
    if (ims_compute_session_open(c, &s, &graph, NULL, &err) != IMS_OK) {
        ims_compute_close(c);
        return err.status == IMS_E_DEVICE ? 20 : 11;
    }
    in = fixture_f32("x", 2, (int64_t[]){ 1, 32 }, x);
    if (ims_compute_session_run(s, &in, 1, &out, 1, &err) != IMS_OK)
        return 12;
    if (strcmp(mode, "leave") == 0)
        exit(0);
    ims_tensor_release(&out.tensor);
    ims_compute_session_close(s);
    ims_compute_close(c);
    return 0;
}

/* The child's exit code, or minus the signal that ended it. */
static int run_child(const char *mode)
{
    int status = 0;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        if (strcmp(mode, "no-driver") == 0) {
            setenv("VK_DRIVER_FILES", "/dev/null", 1);
            setenv("VK_ICD_FILENAMES", "/dev/null", 1);
        }
        alarm(120);
        execl(program, program, "--child", mode, (char *)NULL);
        _exit(99);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return 98;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(closed, "a process that closed everything ends with 0")
{
    CHECK_INT(run_child("close"), 0);
}

TEST(no_driver, "without a Vulkan driver the device is refused, and the process ends normally")
{
    CHECK_INT(run_child("no-driver"), 20);
}

TEST(left, "a process that leaves without closing ends with 0 too")
{
    CHECK_INT(run_child("leave"), 0);
}

int main(int argc, char **argv)
{
    int code = 0;

    program = argv[0];
    if (argc == 3 && strcmp(argv[1], "--child") == 0)
        return act(argv[2]);
    return fixture_prepare("webgpu", &code) ? test_main(argc, argv) : code;
}
