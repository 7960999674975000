-- Training and face sessions: what evidence is of which run, folders as ranges of paths, folders to be passed over.
-- SPDX-License-Identifier: Apache-2.0

-- the run that computed it; NULL: none did, or it was forgotten
ALTER TABLE evidence ADD COLUMN session_id {int} REFERENCES training_sessions (id) ON DELETE SET NULL;
CREATE INDEX evidence_session ON evidence (session_id) WHERE session_id IS NOT NULL;

-- below a folder: path_from <= path < path_until
ALTER TABLE training_sessions ADD COLUMN path_from {blob};
ALTER TABLE training_sessions ADD COLUMN path_until {blob};
ALTER TABLE training_subdirectories ADD COLUMN path_from {blob};
ALTER TABLE training_subdirectories ADD COLUMN path_until {blob};

-- nothing was ever written to the former one
DROP TABLE ignored_directories;
CREATE TABLE ignored_directories (
    id {id},
    path {blob} NOT NULL UNIQUE,
    path_from {blob} NOT NULL,
    path_until {blob} NOT NULL,
    reason TEXT,
    created_us {int} NOT NULL
) {strict};

CREATE TABLE face_sessions (
    id {id},
    training_session_id {int} REFERENCES training_sessions (id) ON DELETE CASCADE, -- whose folders; NULL: all
    status TEXT NOT NULL CHECK (status IN ('pending', 'processing', 'paused', 'completed', 'failed', 'cancelled')),
    generation {int} NOT NULL DEFAULT 0, -- as in training_sessions
    min_confidence {real} NOT NULL,
    min_face_size {int} NOT NULL,
    batch_size {int} NOT NULL CHECK (batch_size > 0),
    is_anew {int} NOT NULL DEFAULT 0 CHECK (is_anew IN (0, 1)), -- clusters without what was kept of the last ones
    last_error TEXT,
    -- as they were when it ended; until then they are counted
    n_images {int} NOT NULL DEFAULT 0,
    n_processed {int} NOT NULL DEFAULT 0,
    n_failed {int} NOT NULL DEFAULT 0,
    n_faces {int} NOT NULL DEFAULT 0,
    n_assigned {int} NOT NULL DEFAULT 0,
    n_auto_assigned {int} NOT NULL DEFAULT 0,
    n_clusters {int} NOT NULL DEFAULT 0,
    n_suggestions {int} NOT NULL DEFAULT 0,
    created_us {int} NOT NULL,
    started_us {int},
    completed_us {int}
) {strict};
CREATE INDEX face_sessions_training ON face_sessions (training_session_id) WHERE training_session_id IS NOT NULL;
CREATE INDEX face_sessions_status ON face_sessions (status);

-- sqlite
UPDATE training_sessions SET
    path_from = CASE WHEN root_path = X'2F' THEN X'2F' ELSE CAST(root_path || '/' AS BLOB) END,
    path_until = CASE WHEN root_path = X'2F' THEN X'30' ELSE CAST(root_path || '0' AS BLOB) END;
UPDATE training_subdirectories SET path_from = CAST(path || '/' AS BLOB), path_until = CAST(path || '0' AS BLOB);
-- postgres
UPDATE training_sessions SET
    path_from = CASE WHEN root_path = '\x2f'::bytea THEN '\x2f'::bytea ELSE root_path || '\x2f'::bytea END,
    path_until = CASE WHEN root_path = '\x2f'::bytea THEN '\x30'::bytea ELSE root_path || '\x30'::bytea END;
UPDATE training_subdirectories SET path_from = path || '\x2f'::bytea, path_until = path || '\x30'::bytea;
