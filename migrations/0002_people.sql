-- The people: faces of contents and their vectors, clusters, persons, who is whom and how that came to be.
-- SPDX-License-Identifier: Apache-2.0

-- "content_id" of a removal is the id of whatever the model has vectors of: a content or a face
ALTER TABLE vector_removals RENAME COLUMN content_id TO item_id;

CREATE TABLE persons (
    id {id},
    name TEXT NOT NULL,
    name_key TEXT NOT NULL, -- the name without the difference of case and form (store/persons.h)
    status TEXT NOT NULL CHECK (status IN ('active', 'hidden', 'merged', 'deleted')),
    merged_into {int} REFERENCES persons (id),
    birth_date TEXT, -- YYYY-MM-DD
    created_us {int} NOT NULL,
    updated_us {int} NOT NULL,
    CHECK ((status = 'merged') = (merged_into IS NOT NULL)),
    CHECK (merged_into <> id)
) {strict};
-- merged and deleted persons stay, for the history and for undoing; their names are free
CREATE UNIQUE INDEX persons_name ON persons (name_key) WHERE status IN ('active', 'hidden');
CREATE INDEX persons_merged ON persons (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE clusters (
    id {id},
    model_id {int} NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    method TEXT NOT NULL, -- what made it: hdbscan, dbscan, agglomerative, split
    confidence {real},    -- mean cosine between members
    created_us {int} NOT NULL,
    updated_us {int} NOT NULL
) {strict};
CREATE INDEX clusters_model ON clusters (model_id);

-- which contents a face model has looked at, with what limits: also those without any face
CREATE TABLE face_scans (
    content_id {int} NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
    model_id {int} NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    min_score {real} NOT NULL,
    min_size_px {int} NOT NULL,
    created_us {int} NOT NULL,
    PRIMARY KEY (content_id, model_id)
) {strict};
CREATE INDEX face_scans_model ON face_scans (model_id);

-- A face in a picture, found by a model. Like vectors, faces belong to the content: copies share them.
CREATE TABLE faces (
    id {id},
    content_id {int} NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
    model_id {int} NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    x {int} NOT NULL, -- box in pixels of the displayed picture; may lie partly outside
    y {int} NOT NULL,
    w {int} NOT NULL CHECK (w > 0),
    h {int} NOT NULL CHECK (h > 0),
    score {real} NOT NULL,   -- of the detector
    quality {real} NOT NULL,
    landmarks_json TEXT,
    age {real},    -- years; as the next ones NULL when the model does not tell
    gender {int},  -- 0 female, 1 male
    yaw {real},    -- degrees
    pitch {real},
    roll {real},
    cluster_id {int} REFERENCES clusters (id) ON DELETE SET NULL,
    cluster_probability {real},
    outlier_score {real},
    clustered_us {int}, -- the last clustering that looked at it; with cluster_id NULL: it was noise
    person_id {int} REFERENCES persons (id),
    assigned_by TEXT CHECK (assigned_by IN ('user', 'cluster', 'suggestion', 'auto', 'import', 'carried')),
    assigned_score {real}, -- cosine, where a score decided
    assigned_us {int},
    is_extra {int} NOT NULL DEFAULT 0 CHECK (is_extra IN (0, 1)), -- the user says: that person once more
    created_us {int} NOT NULL,
    updated_us {int} NOT NULL,
    UNIQUE (content_id, model_id, x, y, w, h),
    CHECK ((person_id IS NULL) = (assigned_by IS NULL)),
    CHECK (is_extra = 0 OR person_id IS NOT NULL)
) {strict};
-- a person is in a photo once, unless the user says otherwise
CREATE UNIQUE INDEX faces_once ON faces (content_id, model_id, person_id) WHERE person_id IS NOT NULL AND is_extra = 0;
CREATE INDEX faces_person ON faces (person_id, model_id) WHERE person_id IS NOT NULL;
CREATE INDEX faces_cluster ON faces (cluster_id) WHERE cluster_id IS NOT NULL;
CREATE INDEX faces_model ON faces (model_id, id);

-- one vector per face: dim of the model, little-endian f32 of length 1; followed like embeddings
CREATE TABLE face_vectors (
    face_id {int} NOT NULL PRIMARY KEY REFERENCES faces (id) ON DELETE CASCADE,
    model_id {int} NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    seq {int} NOT NULL,
    vector {blob} NOT NULL,
    created_us {int} NOT NULL
) {strict};
CREATE UNIQUE INDEX face_vectors_seq ON face_vectors (model_id, seq, face_id);

-- "not this person": kept for good
CREATE TABLE face_rejections (
    face_id {int} NOT NULL REFERENCES faces (id) ON DELETE CASCADE,
    person_id {int} NOT NULL REFERENCES persons (id),
    created_us {int} NOT NULL,
    PRIMARY KEY (face_id, person_id)
) {strict};
CREATE INDEX face_rejections_person ON face_rejections (person_id);

-- the faces a person is recognised by
CREATE TABLE person_prototypes (
    id {id},
    person_id {int} NOT NULL REFERENCES persons (id),
    face_id {int} NOT NULL UNIQUE REFERENCES faces (id) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('primary', 'temporal', 'exemplar', 'fallback', 'excluded')),
    era TEXT CHECK (era IN ('infant', 'child', 'teen', 'young_adult', 'adult', 'senior')),
    is_pinned {int} NOT NULL DEFAULT 0 CHECK (is_pinned IN (0, 1)),
    pinned_by TEXT,
    pinned_us {int},
    created_us {int} NOT NULL,
    CHECK ((is_pinned = 1) = (pinned_us IS NOT NULL))
) {strict};
CREATE INDEX person_prototypes_person ON person_prototypes (person_id);

-- Every change of who is whom. undoes: the event that this one took back. undone_by: the one that took this
-- back and still stands; an undo that was undone does not.
CREATE TABLE person_events (
    id {id},
    created_us {int} NOT NULL,
    actor TEXT,
    operation TEXT NOT NULL,
    from_person_id {int} REFERENCES persons (id),
    to_person_id {int} REFERENCES persons (id),
    n_faces {int} NOT NULL,
    n_photos {int} NOT NULL,
    undoes {int} REFERENCES person_events (id),
    undone_by {int} REFERENCES person_events (id),
    note TEXT
) {strict};
CREATE INDEX person_events_from ON person_events (from_person_id) WHERE from_person_id IS NOT NULL;
CREATE INDEX person_events_to ON person_events (to_person_id) WHERE to_person_id IS NOT NULL;

-- What an event changed, state by state. Replaying the after-states in the order of (event_id, n) gives the
-- present; putting the before-states back undoes an event. A NULL state: it did not exist.
-- No foreign keys on the subjects: the history outlives a face.
CREATE TABLE person_event_changes (
    event_id {int} NOT NULL REFERENCES person_events (id) ON DELETE CASCADE,
    n {int} NOT NULL,
    subject TEXT NOT NULL CHECK (subject IN ('face', 'rejection', 'person', 'pin')),
    face_id {int},
    person_id {int},
    before_json TEXT,
    after_json TEXT,
    PRIMARY KEY (event_id, n)
) {strict};
CREATE INDEX person_event_changes_face ON person_event_changes (face_id, event_id) WHERE face_id IS NOT NULL;
CREATE INDEX person_event_changes_person ON person_event_changes (person_id, event_id) WHERE person_id IS NOT NULL;

CREATE TABLE face_suggestions (
    id {id},
    face_id {int} NOT NULL REFERENCES faces (id) ON DELETE CASCADE,
    person_id {int} NOT NULL REFERENCES persons (id),
    source_face_id {int} REFERENCES faces (id) ON DELETE SET NULL, -- the prototype that matched best
    confidence {real} NOT NULL,           -- score of the matching prototype of best quality
    aggregate_confidence {real} NOT NULL, -- best score of all
    n_matches {int} NOT NULL,             -- prototypes above the threshold; 0: the centroid alone
    scores_json TEXT,                     -- {"prototype's face id": score}
    status TEXT NOT NULL CHECK (status IN ('pending', 'accepted', 'rejected', 'expired')),
    created_us {int} NOT NULL,
    reviewed_us {int},
    CHECK ((status = 'pending') = (reviewed_us IS NULL))
) {strict};
CREATE UNIQUE INDEX face_suggestions_pending ON face_suggestions (face_id, person_id) WHERE status = 'pending';
CREATE INDEX face_suggestions_person ON face_suggestions (person_id, status);
CREATE INDEX face_suggestions_source ON face_suggestions (source_face_id) WHERE source_face_id IS NOT NULL;

-- learned maps of the vectors of a face model, applied when faces are compared; the vectors stay as they are
CREATE TABLE face_projections (
    id {id},
    model_id {int} NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    version {int} NOT NULL, -- 1, 2, ... per model
    name TEXT NOT NULL,
    digest TEXT NOT NULL,   -- hex SHA-256 of weights
    weights {blob} NOT NULL, -- dim x dim little-endian f32, row by row: y = W x
    optimizer {blob},       -- state to go on from
    metrics_json TEXT,      -- parameters and what was measured before and after
    is_active {int} NOT NULL DEFAULT 0 CHECK (is_active IN (0, 1)),
    created_us {int} NOT NULL,
    UNIQUE (model_id, version)
) {strict};
CREATE UNIQUE INDEX face_projections_active ON face_projections (model_id) WHERE is_active = 1;

CREATE TABLE person_centroids (
    id {id},
    person_id {int} NOT NULL REFERENCES persons (id),
    model_id {int} NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    projection_id {int} NOT NULL DEFAULT 0, -- of the space it lies in; 0 = the model's own
    algorithm {int} NOT NULL,               -- version of the rule that made it
    kind TEXT NOT NULL CHECK (kind IN ('global', 'cluster')),
    label TEXT NOT NULL DEFAULT 'global',
    n_faces {int} NOT NULL,
    n_trimmed {int} NOT NULL,
    source_hash TEXT NOT NULL, -- of the ids of the faces it was made of
    vector {blob} NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'deprecated')),
    created_us {int} NOT NULL
) {strict};
CREATE UNIQUE INDEX person_centroids_active ON person_centroids (person_id, model_id, projection_id, algorithm, kind, label)
    WHERE status = 'active';

-- groups of unknown faces that the user does not want to see again
CREATE TABLE dismissed_groups (
    id {id},
    membership_hash TEXT NOT NULL UNIQUE, -- store/persons.h
    cluster_id {int},
    n_faces {int} NOT NULL,
    face_ids_json TEXT NOT NULL,
    reason TEXT,
    is_noise {int} NOT NULL CHECK (is_noise IN (0, 1)),
    created_us {int} NOT NULL
) {strict};

-- postgres
ALTER TABLE face_vectors ALTER COLUMN vector SET STORAGE EXTERNAL;
ALTER TABLE face_projections ALTER COLUMN weights SET STORAGE EXTERNAL;
