/* The rules of selection written down a second time, in another way, and compared with the real ones on
 * every combination of settings, machine and proofs.
 *
 * The rules: --device > DEVICE unless auto > PYTORCH_DEVICE unless auto > FORCE_CPU > auto. What is asked for
 * by name must be permitted (ONNX_PROVIDERS), there and right, or it is an error. Auto tries CUDA, Core ML on
 * Apple silicon and the CPU, or the list's providers in the list's order; a device must be right, and without
 * a list not slower than the CPU, unless nothing else is left.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device.h"
#include "harness/test.h"

#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- the settings alone ---- */

static const char *const flags[] = { NULL, "", "auto", "cpu", "cuda", "cuda:1", "webgpu" };
static const char *const devices[] = { NULL,  "",         "auto",   "AUTO",          "cpu", "cuda:0", "cuda:1",
                                       "mps", "tensorrt", "webgpu", "cuda:0,cuda:1", "cuda:all" };
static const char *const pytorches[] = { NULL, "auto", "cpu", "cuda", "mps" };
static const char *const forces[] = { NULL, "", "true", "1", "yes", "false", "0", "no" };

static bool decides(const char *s)
{
    return s && s[0] && strcmp(s, "auto") != 0 && strcmp(s, "AUTO") != 0;
}

TEST(settings, "the setting that decides is the first of the order that says something")
{
    size_t n = 0;

    for (size_t i = 0; i < COUNT(flags) * COUNT(devices) * COUNT(pytorches) * COUNT(forces); i++, n++) {
        struct ims_device_settings s = { .flag = flags[i % 7],
                                         .device = devices[i / 7 % 12],
                                         .pytorch_device = pytorches[i / 84 % 5],
                                         .force_cpu = forces[i / 420 % 8] };
        bool is_forced = i / 420 % 8 >= 2 && i / 420 % 8 <= 4, has_flag = s.flag && s.flag[0];
        ims_device_source want = IMS_DEVICE_FROM_AUTO;
        const char *text = "auto";
        struct ims_device_request q;
        ims_err err = { .text = "" };

        if (decides(s.flag)) {
            want = IMS_DEVICE_FROM_FLAG;
            text = s.flag;
        } else if (!has_flag && decides(s.device)) {
            want = IMS_DEVICE_FROM_DEVICE;
            text = s.device;
        } else if (!has_flag && decides(s.pytorch_device)) {
            want = IMS_DEVICE_FROM_PYTORCH_DEVICE;
            text = s.pytorch_device;
        } else if (is_forced) {
            want = IMS_DEVICE_FROM_FORCE_CPU;
            text = "cpu";
        } else if (has_flag) {
            want = IMS_DEVICE_FROM_FLAG; /* auto, said aloud */
        }
        CHECK_OK(ims_device_request_read(&q, &s, &err), err);
        CHECK_INT(q.source, want);
        CHECK_STR(q.asked, text);
        CHECK_INT(q.is_auto, strcmp(text, "auto") == 0);
        CHECK_INT(q.is_cuda_all, strcmp(text, "cuda:all") == 0);
    }
    CHECK_INT(n, 3360);
}

/* ---- what they make of a machine ---- */

enum outcome { PASSES, FAILS, IS_SLOW };

struct world {
    const char *asked;     /* by DEVICE; NULL = auto; "force" = by FORCE_CPU */
    const char *providers; /* letters in order: c(PU) n(vidia) t(ensorrt) m(ac) w(ebgpu); NULL = no list */
    bool is_apple, has_driver;
    unsigned n_cuda;
    const char *offered; /* letters, besides the CPU */
    enum outcome cuda[2], coreml, webgpu, tensorrt, cpu;
};

static char letter_of(const char *name)
{
    static const char *const names[] = { "cpu", "cuda", "tensorrt", "coreml", "webgpu" };

    for (size_t i = 0; i < COUNT(names); i++) {
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return "cntmw"[i];
    }
    return '?';
}

static unsigned number_of(const char *name)
{
    const char *colon = strchr(name, ':');

    return colon ? (unsigned)(colon[1] - '0') : 0;
}

static bool exists(const struct world *w, const char *name)
{
    char letter = letter_of(name);
    bool is_nvidia = letter == 'n' || letter == 't';

    return letter == 'c' || (strchr(w->offered, letter) && (!is_nvidia || (w->has_driver && number_of(name) < w->n_cuda)));
}

static enum outcome proof_of(const struct world *w, const char *name)
{
    switch (letter_of(name)) {
    case 'n':
        return w->cuda[number_of(name)];
    case 'm':
        return w->coreml;
    case 'w':
        return w->webgpu;
    case 't':
        return w->tensorrt;
    default:
        return w->cpu;
    }
}

static bool permits(const struct world *w, const char *name)
{
    return !w->providers || strchr(w->providers, letter_of(name));
}

/* The chosen devices, "config" or "device" for the two errors. */
static void expect_named(const struct world *w, char *out, size_t size)
{
    const char *asked = strcmp(w->asked, "force") == 0 ? "cpu" : w->asked;
    char names[64], *save = NULL;
    bool is_permitted = true, is_there = true, is_right = true;

    snprintf(names, sizeof(names), "%s", asked);
    for (char *n = strtok_r(names, ",", &save); n; n = strtok_r(NULL, ",", &save)) {
        is_permitted = is_permitted && permits(w, n);
        is_there = is_there && exists(w, n);
        is_right = is_right && exists(w, n) && proof_of(w, n) != FAILS;
    }
    snprintf(out, size, "%s", !is_permitted ? "config" : is_there && is_right ? asked : "device");
}

static void expect_all(const struct world *w, char *out, size_t size)
{
    size_t n = 0;

    out[0] = '\0';
    if (!permits(w, "cuda")) {
        snprintf(out, size, "config");
        return;
    }
    for (unsigned i = 0; i < w->n_cuda; i++) {
        char name[8];

        snprintf(name, sizeof(name), "cuda:%u", i);
        if (exists(w, name) && proof_of(w, name) != FAILS)
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "," : "", name);
    }
    if (n == 0)
        snprintf(out, size, "device");
}

static void expect_auto(const struct world *w, char *out, size_t size)
{
    const char *order = w->providers ? w->providers : w->is_apple ? "nmc" : "nc";
    char slow[16] = "";

    snprintf(out, size, "device");
    for (const char *l = order; *l; l++) {
        static const char *const names[] = { "cpu", "cuda:%u", "tensorrt", "coreml", "webgpu" };
        unsigned many = *l == 'n' ? 2 : 1;

        for (unsigned i = 0; i < many; i++) {
            char name[16];

            snprintf(name, sizeof(name), "%s", names[strchr("cntmw", *l) - "cntmw"]);
            if (*l == 'n')
                snprintf(name, sizeof(name), "cuda:%u", i);
            if (!exists(w, name) || proof_of(w, name) == FAILS)
                continue;
            if (proof_of(w, name) == PASSES || w->providers) {
                snprintf(out, size, "%s", name);
                return;
            }
            if (!slow[0])
                snprintf(slow, sizeof(slow), "%s", name);
        }
    }
    if (slow[0])
        snprintf(out, size, "%s", slow);
}

/* ---- the real rules in the same words ---- */

static void spell_providers(const char *letters, char *out, size_t size)
{
    static const char *const names[] = { "CPU", "CUDA", "Tensorrt", "CoreML", "WebGpu" };
    size_t n = 0;

    out[0] = '\0';
    for (const char *l = letters; l && *l; l++)
        n += (size_t)snprintf(out + n, size - n, "%s%sExecutionProvider", n ? "," : "",
                              names[strchr("cntmw", *l) - "cntmw"]);
}

static void decide(const struct world *w, char *out, size_t size)
{
    static const ims_proof_state states[] = { IMS_PROOF_PASSED, IMS_PROOF_FAILED, IMS_PROOF_SLOWER };
    bool is_forced = w->asked && strcmp(w->asked, "force") == 0;
    char providers[160];
    struct ims_device_settings s = { .device = is_forced ? NULL : w->asked,
                                     .force_cpu = is_forced ? "true" : NULL,
                                     .onnx_providers = providers };
    struct ims_device_inventory inventory = { .is_apple_silicon = w->is_apple,
                                              .has_cuda_driver = w->has_driver,
                                              .n_cuda = w->n_cuda };
    struct ims_device_proof proofs[8];
    static struct ims_device_request q;
    static struct ims_device_choice choice;
    size_t n_proofs = 0, n = 0;
    ims_err err = { .text = "" };
    ims_status st;

    spell_providers(w->providers, providers, sizeof(providers));
    inventory.offers[IMS_DEVICE_CPU] = true;
    inventory.offers[IMS_DEVICE_CUDA] = strchr(w->offered, 'n') != NULL;
    inventory.offers[IMS_DEVICE_TENSORRT] = strchr(w->offered, 't') != NULL;
    inventory.offers[IMS_DEVICE_COREML] = strchr(w->offered, 'm') != NULL;
    inventory.offers[IMS_DEVICE_WEBGPU] = strchr(w->offered, 'w') != NULL;
    st = ims_device_request_read(&q, &s, &err);
    while (!st) {
        char name[IMS_DEVICE_NAME_BYTES];

        st = ims_device_choose(&choice, &q, &inventory, proofs, n_proofs, &err);
        if (st || choice.is_final)
            break;
        ims_device_id_name(choice.needs_proof, name);
        if (!exists(w, name) || n_proofs == COUNT(proofs)) {
            snprintf(out, size, "asks for a proof of %s", name);
            return;
        }
        proofs[n_proofs++] = (struct ims_device_proof){ .id = choice.needs_proof,
                                                        .state = states[proof_of(w, name)],
                                                        .text = "so it is" };
    }
    snprintf(out, size, "%s", st == IMS_E_CONFIG ? "config" : st == IMS_E_DEVICE ? "device" : st ? "other" : "");
    for (size_t i = 0; !st && i < choice.n_ids; i++) {
        char name[IMS_DEVICE_NAME_BYTES];

        ims_device_id_name(choice.ids[i], name);
        n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "," : "", name);
    }
    if (st && !err.text[0])
        snprintf(out, size, "an error without words");
}

static bool agrees(const struct world *w)
{
    char want[64], got[64];

    if (!w->asked)
        expect_auto(w, want, sizeof(want));
    else if (strcmp(w->asked, "cuda:all") == 0)
        expect_all(w, want, sizeof(want));
    else
        expect_named(w, want, sizeof(want));
    decide(w, got, sizeof(got));
    if (strcmp(want, got) == 0)
        return true;
    test_fail(__FILE__, __LINE__,
              "DEVICE=%s ONNX_PROVIDERS=%s apple %d driver %d cuda %u offered '%s' proofs cuda %d %d coreml %d webgpu "
              "%d tensorrt %d cpu %d: got %s, the rules say %s",
              w->asked ? w->asked : "-", w->providers ? w->providers : "-", w->is_apple, w->has_driver, w->n_cuda,
              w->offered, w->cuda[0], w->cuda[1], w->coreml, w->webgpu, w->tensorrt, w->cpu, got, want);
    return false;
}

TEST(everything, "for every request, machine and outcome of the proofs, the choice is what the rules say")
{
    static const char *const asked[] = { NULL,     "force",  "cpu",           "cuda:0",   "cuda:1",
                                         "coreml", "webgpu", "cuda:0,cuda:1", "cuda:all", "tensorrt" };
    static const char *const lists[] = { NULL, "c", "n", "nc", "cn", "wmc", "tnc", "m" };
    static const struct {
        bool is_apple, has_driver;
        unsigned n_cuda;
        const char *offered;
    } machines[] = {
        { false, false, 0, "" },   { false, false, 0, "ntw" }, { false, true, 1, "ntw" },
        { false, true, 2, "ntw" }, { false, true, 2, "nw" },   { false, true, 1, "w" },
        { false, true, 0, "ntw" }, { true, false, 0, "" },     { true, false, 0, "mw" },
        { true, true, 2, "ntmw" }, { false, false, 0, "m" },
    };
    size_t n = 0;

    for (size_t a = 0; a < COUNT(asked) * COUNT(lists) * COUNT(machines); a++) {
        size_t m = a / (COUNT(asked) * COUNT(lists));

        for (unsigned p = 0; p < 3 * 3 * 3 * 2 * 2 * 2; p++, n++) {
            struct world w = { .asked = asked[a % COUNT(asked)],
                               .providers = lists[a / COUNT(asked) % COUNT(lists)],
                               .is_apple = machines[m].is_apple,
                               .has_driver = machines[m].has_driver,
                               .n_cuda = machines[m].n_cuda,
                               .offered = machines[m].offered,
                               .cuda = { (enum outcome)(p % 3), (enum outcome)(p / 3 % 3) },
                               .coreml = (enum outcome)(p / 9 % 3),
                               .webgpu = (enum outcome)(p / 27 % 2),
                               .tensorrt = (enum outcome)(p / 54 % 2),
                               .cpu = (enum outcome)(p / 108 % 2) };

            if (!agrees(&w))
                return;
        }
    }
    test_note("%zu combinations", n);
    CHECK_INT(n, 10 * 8 * 11 * 216);
}

TEST_MAIN
