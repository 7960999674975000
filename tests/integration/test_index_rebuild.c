/* A service's vector index is made anew on a thread of its own: searches are answered meanwhile, rightly.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"
#include "ims/engine.h"
#include "integration/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HITS = 12 };

/* The thread that rebuilds stands still at its first step until it is let go. */
static struct {
    struct ims_lock lock;
    struct ims_cond changed;
    bool is_shut;
    unsigned n_steps;
} gate;

static void stand_still(void *arg, size_t done, size_t total)
{
    (void)arg;
    (void)done;
    CHECK_SOFT(total > 100);
    ims__lock(&gate.lock);
    gate.n_steps++;
    ims__cond_broadcast(&gate.changed);
    while (gate.is_shut)
        (void)ims__cond_wait(&gate.changed, &gate.lock, 100);
    ims__unlock(&gate.lock);
}

static void shut_gate(void)
{
    ims__lock(&gate.lock);
    gate.is_shut = true;
    gate.n_steps = 0;
    ims__unlock(&gate.lock);
}

static void open_gate(void)
{
    ims__lock(&gate.lock);
    gate.is_shut = false;
    ims__cond_broadcast(&gate.changed);
    ims__unlock(&gate.lock);
}

static void wait_for_step(void)
{
    bool is_there = false;

    for (struct test_wait w = { 0 }; !is_there && test_waits(&w);) {
        ims__lock(&gate.lock);
        is_there = gate.n_steps > 0;
        ims__unlock(&gate.lock);
    }
}

static struct ims_index_state state_of(struct ims_engine *e)
{
    struct ims_index_state s;

    ims_engine_index_state(e, &s);
    return s;
}

static struct ims_index_state wait_until_kept(struct ims_engine *e)
{
    for (struct test_wait w = { 0 }; test_waits(&w) && state_of(e).is_rebuilding;) {
    }
    return state_of(e);
}

static struct ims_engine *open_engine(const struct library *l)
{
    static char root[1100];
    static const char *roots[] = { root };
    const char *url = strchr(l->database_env, '=');
    struct ims_engine_options options = { .data_dir = l->data,
                                          .database_url = url ? url + 1 : NULL,
                                          .model_roots = roots,
                                          .n_model_roots = 1,
                                          .device_flag = "cpu",
                                          .on_rebuild = stand_still };
    struct ims_engine *e = NULL;
    ims_err err;

    snprintf(root, sizeof(root), "%s", test_source_path("models/demo"));
    test_check_ok(__FILE__, __LINE__, "open", ims_engine_open(&e, &options, &err), &err);
    return e;
}

/* The hits of some words as text, and what they were read as. */
static const char *ask(struct ims_engine *e, bool is_exact, const char **out_plan)
{
    static char text[4][HITS * 40];
    static unsigned turn;
    struct ims_search_query q = { .text = "a red car", .limit = HITS, .is_exact = is_exact };
    struct ims_search_results r;
    size_t n = 0;
    ims_err err;

    turn = (turn + 1) % 4;
    *out_plan = "";
    text[turn][0] = '\0';
    if (!test_check_ok(__FILE__, __LINE__, "search", ims_engine_search(e, &q, &r, &err), &err))
        return text[turn];
    for (size_t i = 0; i < r.n; i++)
        n += (size_t)snprintf(text[turn] + n, sizeof(text[0]) - n, "%lld:%.5f ", (long long)r.hits[i].asset.id,
                              (double)r.hits[i].score);
    *out_plan = r.answer.plan;
    ims_search_results_release(&r);
    return text[turn];
}

static void remove_folder(const struct library *l)
{
    char command[900];

    snprintf(command, sizeof(command), "rm -r '%s/index'", l->data);
    CHECK_INT(system(command), 0);
}

TEST(rebuild, "while a service makes its index anew searches read the library, or the former index, and are right")
{
    struct library l;
    struct ims_engine *host, *beside = NULL;
    struct ims_index_state s;
    char words[1200], want[HITS * 40];
    const char *plan;
    int64_t n;
    ims_err err;

    CHECK(ims__lock_init(&gate.lock) == IMS_OK && ims__cond_init(&gate.changed) == IMS_OK);
    library_init(&l);
    snprintf(words, sizeof(words), "index\n--quiet\n%s", test_source_path("demo"));
    library_run(&l, 0, words);
    remove_folder(&l);

    /* no index: the library's own vectors */
    host = open_engine(&l);
    CHECK_OK(ims_engine_open_beside(&beside, host, &err), err);
    shut_gate();
    s = state_of(beside);
    CHECK(!s.is_ready && !s.is_rebuilding);
    snprintf(want, sizeof(want), "%s", ask(beside, false, &plan));
    CHECK_STR(plan, "library");
    wait_for_step();
    s = state_of(beside);
    CHECK(!s.is_ready && s.is_rebuilding && s.total > 100 && s.n_rebuilds == 0);
    CHECK_STR(ask(beside, false, &plan), want);
    CHECK_STR(plan, "library");
    open_gate();
    s = wait_until_kept(beside);
    CHECK(s.is_ready && s.n_rebuilds == 1 && s.last_rebuild_s > 0);
    CHECK_STR(s.problem, "");
    n = (int64_t)s.vectors;
    CHECK_STR(ask(beside, true, &plan), want);
    CHECK_STR(plan, "exact");

    /* a library that came back from a copy: the former index answers, without what is not in the library */
    shut_gate();
    CHECK(library_sql(&l, "DELETE FROM embeddings WHERE seq > (SELECT MAX(seq) - 7 FROM embeddings)"));
    CHECK(library_sql(&l, "UPDATE models SET vector_seq = (SELECT MAX(seq) FROM embeddings)"));
    CHECK(library_sql(&l, "UPDATE counters SET value = value + 1 WHERE name = 'epoch'"));
    snprintf(want, sizeof(want), "%s", ask(beside, false, &plan));
    wait_for_step();
    s = state_of(beside);
    CHECK(s.is_ready && s.is_rebuilding && (int64_t)s.vectors == n);
    CHECK_STR(ask(beside, true, &plan), want);
    CHECK_STR(plan, "exact");
    open_gate();
    s = wait_until_kept(beside);
    CHECK_INT((int64_t)s.vectors, n - 7);
    CHECK_INT(s.n_rebuilds, 2);
    CHECK_STR(ask(beside, true, &plan), want);

    /* closing ends a rebuild that stands in the middle, and leaves the folder usable */
    ims_engine_close(beside);
    ims_engine_close(host);
    remove_folder(&l);
    host = open_engine(&l);
    shut_gate();
    ims_engine_warm_index(host);
    wait_for_step();
    CHECK(state_of(host).is_rebuilding);
    open_gate();
    ims_engine_close(host);
    host = open_engine(&l);
    CHECK_STR(ask(host, true, &plan), want); /* a handle alone makes it anew before it answers */
    CHECK_STR(plan, "exact");
    ims_engine_close(host);
}

TEST_MAIN
