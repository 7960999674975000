// hnswlib and faiss behind the functions of rivals.h. Built only where their headers are.
// SPDX-License-Identifier: Apache-2.0
#include "rivals.h"

#include <atomic>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

#ifdef HAVE_HNSWLIB
#include <hnswlib/hnswlib.h>

namespace {

using Graph = hnswlib::HierarchicalNSW<float>;

struct Hnsw {
    int m;
    std::unique_ptr<hnswlib::InnerProductSpace> space;
    std::unique_ptr<Graph> index;
    const uint8_t *allowed = nullptr;
};

bool hnsw_build(void *ctx, const float *rows, size_t n, uint32_t dim, unsigned n_threads)
{
    Hnsw *h = static_cast<Hnsw *>(ctx);
    std::atomic<size_t> next{ 1 };
    std::vector<std::thread> threads;

    h->space.reset(new hnswlib::InnerProductSpace(dim));
    h->index.reset(new Graph(h->space.get(), n, h->m, 200));
    h->index->addPoint(rows, 0);
    for (unsigned t = 0; t < n_threads; t++)
        threads.emplace_back([&] {
            for (size_t i; (i = next++) < n;)
                h->index->addPoint(rows + i * dim, i);
        });
    for (auto &t : threads)
        t.join();
    return true;
}

bool hnsw_save(void *ctx, const char *path)
{
    static_cast<Hnsw *>(ctx)->index->saveIndex(path);
    return true;
}

bool hnsw_load(void *ctx, uint32_t dim, const char *path)
try {
    Hnsw *h = static_cast<Hnsw *>(ctx);

    h->index.reset();
    h->space.reset(new hnswlib::InnerProductSpace(dim));
    h->index.reset(new Graph(h->space.get(), path));
    return true;
} catch (const std::exception &) {
    return false;
}

bool hnsw_allow(void *ctx, const uint8_t *allowed, size_t)
{
    static_cast<Hnsw *>(ctx)->allowed = allowed;
    return true;
}

// This version knows no filter: as its users do, more is fetched and what is not allowed dropped.
size_t hnsw_search(void *ctx, const float *query, size_t k, int effort, unsigned, int64_t *out)
{
    Hnsw *h = static_cast<Hnsw *>(ctx);
    size_t wanted = h->allowed ? static_cast<size_t>(effort) : k, n = 0;

    h->index->setEf(static_cast<size_t>(effort));
    auto found = h->index->searchKnn(query, wanted);
    std::vector<size_t> ids(found.size());

    for (size_t i = found.size(); i-- > 0; found.pop())
        ids[i] = found.top().second;
    for (size_t i = 0; i < ids.size() && n < k; i++) {
        if (!h->allowed || h->allowed[ids[i]])
            out[n++] = static_cast<int64_t>(ids[i]);
    }
    return n;
}

size_t n_distances;
hnswlib::DISTFUNC<float> uncounted;

float counted(const void *a, const void *b, const void *dim)
{
    n_distances++;
    return uncounted(a, b, dim);
}

// The search once more, counting the vectors that it compares and the lists of neighbours that it walks through.
size_t hnsw_read_bytes(void *ctx, const float *query, int effort)
{
    Hnsw *h = static_cast<Hnsw *>(ctx);
    long hops = h->index->metric_hops;

    n_distances = 0;
    uncounted = h->index->fstdistfunc_;
    h->index->fstdistfunc_ = counted;
    h->index->setEf(static_cast<size_t>(effort));
    h->index->searchKnn(query, 1);
    h->index->fstdistfunc_ = uncounted;
    return n_distances * h->index->data_size_ +
           static_cast<size_t>(h->index->metric_hops - hops) * h->index->size_links_level0_;
}

bool hnsw_remove(void *ctx, const int64_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        static_cast<Hnsw *>(ctx)->index->markDelete(static_cast<size_t>(ids[i]));
    return true;
}

size_t hnsw_bytes(void *ctx)
{
    const Graph *g = static_cast<Hnsw *>(ctx)->index.get();

    return g->cur_element_count * g->size_data_per_element_;
}

void hnsw_close(void *ctx)
{
    delete static_cast<Hnsw *>(ctx);
}

} // namespace

bool rival_hnswlib(struct rival *out, const char *name, int m)
{
    Hnsw *h = new Hnsw;

    h->m = m;
    *out = rival{ name,        h,           16,              4096,        1,       hnsw_build, hnsw_save, hnsw_load,
                  hnsw_allow,  hnsw_search, hnsw_read_bytes, hnsw_remove, nullptr, hnsw_bytes, hnsw_close };
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
#include <faiss/impl/IDSelector.h>
#include <faiss/index_io.h>
#include <omp.h>

namespace {

using Ids = std::vector<faiss::Index::idx_t>;

struct Faiss {
    std::unique_ptr<faiss::Index> index;
    bool is_filtered = false;
    Ids allowed;
};

bool faiss_build(void *ctx, const float *rows, size_t n, uint32_t dim, unsigned)
{
    Faiss *f = static_cast<Faiss *>(ctx);

    f->index.reset(new faiss::IndexFlatIP(dim));
    f->index->add(static_cast<faiss::Index::idx_t>(n), rows);
    return true;
}

bool faiss_save(void *ctx, const char *path)
try {
    faiss::write_index(static_cast<Faiss *>(ctx)->index.get(), path);
    return true;
} catch (const std::exception &) {
    return false;
}

bool faiss_load(void *ctx, uint32_t dim, const char *path)
try {
    Faiss *f = static_cast<Faiss *>(ctx);

    f->index.reset();
    f->index.reset(faiss::read_index(path));
    return static_cast<uint32_t>(f->index->d) == dim;
} catch (const std::exception &) {
    return false;
}

bool faiss_allow(void *ctx, const uint8_t *allowed, size_t n)
{
    Faiss *f = static_cast<Faiss *>(ctx);

    f->allowed.clear();
    f->is_filtered = allowed != nullptr;
    for (size_t i = 0; allowed && i < n; i++) {
        if (allowed[i])
            f->allowed.push_back(static_cast<faiss::Index::idx_t>(i));
    }
    return true;
}

// A flat index goes through the ids of an IDSelectorArray; any other selector it asks about every row.
size_t faiss_search(void *ctx, const float *query, size_t k, int, unsigned n_threads, int64_t *out)
{
    Faiss *f = static_cast<Faiss *>(ctx);
    faiss::IDSelectorArray chosen(f->allowed.size(), f->allowed.data());
    faiss::SearchParameters filtered;
    std::vector<float> scores(k);
    Ids ids(k);
    size_t n = 0;

    filtered.sel = &chosen;
    omp_set_num_threads(static_cast<int>(n_threads));
    f->index->search(1, query, static_cast<faiss::Index::idx_t>(k), scores.data(), ids.data(),
                     f->is_filtered ? &filtered : nullptr);
    for (size_t i = 0; i < k && ids[i] >= 0; i++)
        out[n++] = ids[i];
    return n;
}

size_t faiss_bytes(void *ctx)
{
    const faiss::Index *i = static_cast<Faiss *>(ctx)->index.get();

    return static_cast<size_t>(i->ntotal) * static_cast<size_t>(i->d) * sizeof(float);
}

size_t faiss_read_bytes(void *ctx, const float *, int)
{
    const Faiss *f = static_cast<Faiss *>(ctx);

    return f->is_filtered ? f->allowed.size() * static_cast<size_t>(f->index->d) * sizeof(float) : faiss_bytes(ctx);
}

bool faiss_remove(void *ctx, const int64_t *ids, size_t n)
{
    faiss::Index *index = static_cast<Faiss *>(ctx)->index.get();
    std::vector<uint8_t> bits(static_cast<size_t>(index->ntotal) / 8 + 1);

    for (size_t i = 0; i < n; i++)
        bits[static_cast<size_t>(ids[i]) / 8] |= static_cast<uint8_t>(1u << ids[i] % 8);
    return index->remove_ids(faiss::IDSelectorBitmap(bits.size(), bits.data())) == n;
}

void faiss_close(void *ctx)
{
    delete static_cast<Faiss *>(ctx);
}

} // namespace

bool rival_faiss(struct rival *out)
{
    *out = rival{ "faiss IndexFlatIP", new Faiss,   0,           0,           2,
                  faiss_build,         faiss_save,  faiss_load,  faiss_allow, faiss_search,
                  faiss_read_bytes,    faiss_remove, nullptr,    faiss_bytes, faiss_close };
    return true;
}
#else
bool rival_faiss(struct rival *)
{
    return false;
}
#endif
