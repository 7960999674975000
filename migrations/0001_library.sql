-- The library: roots, assets and their contents, models and vectors, work and evidence.
-- SPDX-License-Identifier: Apache-2.0
--
-- {id} {int} {real} {blob} {strict} are words of the dialect (src/db/migrate.h). Times are microseconds
-- since the epoch. Never edit a step that was released: add the next one.

CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) {strict};

-- writer: the row every writing transaction locks first; epoch: grows when search candidates may change
CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value {int} NOT NULL
) {strict};
INSERT INTO counters (name, value) VALUES ('writer', 0), ('epoch', 0);

CREATE TABLE roots (
    id {id},
    path {blob} NOT NULL UNIQUE,
    created_us {int} NOT NULL
) {strict};

CREATE TABLE categories (
    id {id},
    name TEXT NOT NULL UNIQUE,
    description TEXT,
    color TEXT,
    is_default {int} NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
    created_us {int} NOT NULL,
    updated_us {int} NOT NULL
) {strict};

-- the bytes of a file; what was read from them
CREATE TABLE contents (
    id {id},
    sha256 {blob} NOT NULL UNIQUE CHECK (length(sha256) = 32),
    size_bytes {int} NOT NULL,
    mime TEXT,
    width {int},
    height {int},
    orientation {int},
    n_pages {int},
    phash {int},
    taken_at_us {int},
    camera_make TEXT,
    camera_model TEXT,
    gps_lat {real},
    gps_lng {real},
    exif_json TEXT,
    note TEXT,
    created_us {int} NOT NULL
) {strict};
CREATE INDEX contents_taken_at ON contents (taken_at_us);
CREATE INDEX contents_phash ON contents (phash);

CREATE TABLE models (
    id {id},
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    dim {int} NOT NULL CHECK (dim > 0),
    vector_seq {int} NOT NULL DEFAULT 0, -- the last number given to a change of its vectors
    created_us {int} NOT NULL,
    UNIQUE (name, digest)
) {strict};

CREATE TABLE scans (
    id {id},
    root_id {int} NOT NULL REFERENCES roots (id) ON DELETE CASCADE,
    task TEXT NOT NULL,
    model_id {int} NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    started_us {int} NOT NULL,
    ended_us {int}
) {strict};
CREATE INDEX scans_root ON scans (root_id);
CREATE INDEX scans_model ON scans (model_id);

-- a file
CREATE TABLE assets (
    id {id},
    root_id {int} NOT NULL REFERENCES roots (id),
    path {blob} NOT NULL UNIQUE,
    content_id {int} REFERENCES contents (id),
    category_id {int} REFERENCES categories (id) ON DELETE SET NULL,
    size_bytes {int} NOT NULL,
    mtime_us {int} NOT NULL,
    seen_scan {int} NOT NULL,    -- the last scan that met the file
    created_scan {int} NOT NULL, -- the first
    created_us {int} NOT NULL,
    indexed_us {int},
    deleted_us {int}
) {strict};
CREATE INDEX assets_content ON assets (content_id, deleted_us);
CREATE INDEX assets_category ON assets (category_id);
CREATE INDEX assets_root ON assets (root_id);

CREATE TABLE work (
    asset_id {int} NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    task TEXT NOT NULL,
    model_id {int} NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('queued', 'done', 'failed')),
    failure {int} NOT NULL DEFAULT 0, -- ims_status
    reason TEXT,
    detail TEXT,
    attempts {int} NOT NULL DEFAULT 0,
    updated_us {int} NOT NULL,
    PRIMARY KEY (asset_id, task, model_id),
    CHECK ((state = 'failed') = (reason IS NOT NULL)),
    CHECK ((state = 'failed') = (failure <> 0))
) {strict};
CREATE INDEX work_state ON work (task, model_id, state, asset_id);
CREATE INDEX work_model ON work (model_id);

CREATE TABLE evidence (
    id {id},
    asset_id {int} NOT NULL REFERENCES assets (id) ON DELETE CASCADE,
    task TEXT NOT NULL,
    model_id {int} NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    device TEXT NOT NULL,
    provider TEXT,
    runtime TEXT,
    checksum TEXT, -- hex SHA-256 of the vector's bytes
    dim {int},
    norm {real},
    embedding_ms {real},
    total_ms {real},
    error TEXT,
    metadata_json TEXT,
    created_us {int} NOT NULL
) {strict};
CREATE INDEX evidence_asset ON evidence (asset_id, id);
CREATE INDEX evidence_model ON evidence (model_id);

-- one vector per content and model: dim little-endian f32 of length 1
CREATE TABLE embeddings (
    content_id {int} NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
    model_id {int} NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    seq {int} NOT NULL,
    vector {blob} NOT NULL,
    created_us {int} NOT NULL,
    PRIMARY KEY (content_id, model_id)
) {strict};
-- content_id rides along so that "which contents have a vector" never reads the wide rows
CREATE UNIQUE INDEX embeddings_seq ON embeddings (model_id, seq, content_id);

-- vectors that were there once; numbered with the embeddings
CREATE TABLE vector_removals (
    model_id {int} NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    seq {int} NOT NULL,
    content_id {int} NOT NULL,
    PRIMARY KEY (model_id, seq)
) {strict};

-- sqlite
INSERT INTO settings (key, value) VALUES ('library_id', lower(hex(randomblob(16))));
INSERT INTO categories (name, is_default, created_us, updated_us)
VALUES ('General', 1, CAST(strftime('%s', 'now') AS INTEGER) * 1000000, CAST(strftime('%s', 'now') AS INTEGER) * 1000000);
-- postgres
-- Vectors are incompressible: kept out of line as they are, without a try at compressing each.
ALTER TABLE embeddings ALTER COLUMN vector SET STORAGE EXTERNAL;
INSERT INTO settings (key, value) VALUES ('library_id', replace(gen_random_uuid()::text, '-', ''));
INSERT INTO categories (name, is_default, created_us, updated_us)
SELECT 'General', 1, t.us, t.us FROM (SELECT CAST(extract(epoch FROM now()) * 1000000 AS BIGINT) AS us) t;
