// hnswlib and faiss behind the functions of rivals.h. Built only where their headers are.
// SPDX-License-Identifier: Apache-2.0
#include "rivals.h"

#include <atomic>
#include <sys/stat.h>
#include <thread>
#include <vector>

#ifdef HAVE_HNSWLIB
#include <hnswlib/hnswlib.h>

namespace {

struct Hnsw {
    int m;
    hnswlib::InnerProductSpace *space = nullptr;
    hnswlib::HierarchicalNSW<float> *index = nullptr;
};

bool hnsw_build(void *ctx, const float *rows, size_t n, uint32_t dim, unsigned n_threads, const char *path)
{
    Hnsw *h = static_cast<Hnsw *>(ctx);
    struct stat st;
    std::atomic<size_t> next{ 1 };
    std::vector<std::thread> threads;

    h->space = new hnswlib::InnerProductSpace(dim);
    if (path && stat(path, &st) == 0) {
        h->index = new hnswlib::HierarchicalNSW<float>(h->space, path);
        return true;
    }
    h->index = new hnswlib::HierarchicalNSW<float>(h->space, n, h->m, 200);
    h->index->addPoint(rows, 0);
    for (unsigned t = 0; t < n_threads; t++)
        threads.emplace_back([&] {
            for (size_t i; (i = next++) < n;)
                h->index->addPoint(rows + i * dim, i);
        });
    for (auto &t : threads)
        t.join();
    if (path)
        h->index->saveIndex(path);
    return true;
}

// This version knows no filter: as its users do, more is fetched and what is not allowed dropped.
size_t hnsw_search(void *ctx, const float *query, size_t k, int effort, const uint8_t *allowed, unsigned,
                   int64_t *out)
{
    Hnsw *h = static_cast<Hnsw *>(ctx);
    size_t wanted = allowed ? static_cast<size_t>(effort) : k, n = 0;

    h->index->setEf(static_cast<size_t>(effort));
    auto found = h->index->searchKnn(query, wanted);
    std::vector<size_t> ids(found.size());

    for (size_t i = found.size(); i-- > 0; found.pop())
        ids[i] = found.top().second;
    for (size_t i = 0; i < ids.size() && n < k; i++) {
        if (!allowed || allowed[ids[i]])
            out[n++] = static_cast<int64_t>(ids[i]);
    }
    return n;
}

bool hnsw_remove(void *ctx, size_t id)
{
    static_cast<Hnsw *>(ctx)->index->markDelete(id);
    return true;
}

size_t hnsw_bytes(void *ctx)
{
    Hnsw *h = static_cast<Hnsw *>(ctx);

    return h->index->cur_element_count * h->index->size_data_per_element_;
}

void hnsw_close(void *ctx)
{
    Hnsw *h = static_cast<Hnsw *>(ctx);

    delete h->index;
    delete h->space;
    delete h;
}

} // namespace

bool rival_hnswlib(struct rival *out, const char *name, int m)
{
    Hnsw *h = new Hnsw;

    h->m = m;
    *out = rival{ name, h, 16, 4096, hnsw_build, hnsw_search, hnsw_remove, hnsw_bytes, true, hnsw_close };
    return true;
}
#else
bool rival_hnswlib(struct rival *, const char *, int)
{
    return false;
}
#endif

#ifdef HAVE_FAISS
#include <faiss/IndexFlat.h>
#include <omp.h>

namespace {

struct Faiss {
    faiss::IndexFlatIP *index = nullptr;
};

bool faiss_build(void *ctx, const float *rows, size_t n, uint32_t dim, unsigned, const char *)
{
    Faiss *f = static_cast<Faiss *>(ctx);

    f->index = new faiss::IndexFlatIP(dim);
    f->index->add(static_cast<faiss::Index::idx_t>(n), rows);
    return true;
}

size_t faiss_search(void *ctx, const float *query, size_t k, int, const uint8_t *, unsigned n_threads, int64_t *out)
{
    std::vector<float> scores(k);
    std::vector<faiss::Index::idx_t> ids(k);

    omp_set_num_threads(static_cast<int>(n_threads));
    static_cast<Faiss *>(ctx)->index->search(1, query, static_cast<faiss::Index::idx_t>(k), scores.data(), ids.data());
    for (size_t i = 0; i < k; i++)
        out[i] = ids[i];
    return k;
}

size_t faiss_bytes(void *ctx)
{
    Faiss *f = static_cast<Faiss *>(ctx);

    return static_cast<size_t>(f->index->ntotal) * static_cast<size_t>(f->index->d) * 4;
}

void faiss_close(void *ctx)
{
    delete static_cast<Faiss *>(ctx)->index;
    delete static_cast<Faiss *>(ctx);
}

} // namespace

bool rival_faiss(struct rival *out)
{
    *out = rival{ "faiss IndexFlatIP", new Faiss, 0, 0, faiss_build, faiss_search, nullptr, faiss_bytes, false,
                  faiss_close };
    return true;
}
#else
bool rival_faiss(struct rival *)
{
    return false;
}
#endif
