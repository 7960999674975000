-- Background work: jobs and those who do them, training sessions, what was deleted by hand.
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE jobs (
    id {id},
    queue TEXT NOT NULL,
    priority {int} NOT NULL,            -- of the queue: lower is taken first
    func TEXT NOT NULL,                 -- which handler
    args_json TEXT NOT NULL,
    job_key TEXT,                       -- at most one unfinished job has it
    state TEXT NOT NULL CHECK (state IN ('queued', 'started', 'finished', 'failed', 'canceled')),
    attempts {int} NOT NULL DEFAULT 0,
    max_attempts {int} NOT NULL CHECK (max_attempts > 0),
    due_us {int} NOT NULL,              -- not before
    lease_until_us {int} NOT NULL DEFAULT 0,
    worker TEXT,
    wish TEXT CHECK (wish IN ('cancel', 'pause')), -- what the handler should do at its next look
    progress_json TEXT,
    result_json TEXT,
    error TEXT,
    created_us {int} NOT NULL,
    started_us {int},
    ended_us {int}
) {strict};
CREATE INDEX jobs_next ON jobs (state, priority, id);
CREATE INDEX jobs_ended ON jobs (ended_us);
CREATE UNIQUE INDEX jobs_key ON jobs (job_key) WHERE state IN ('queued', 'started');

CREATE TABLE workers (
    name TEXT NOT NULL PRIMARY KEY,
    pid {int} NOT NULL,
    hostname TEXT NOT NULL,
    queues TEXT NOT NULL,               -- separated by commas
    job_id {int},                       -- at work on it
    job_started_us {int},
    n_succeeded {int} NOT NULL DEFAULT 0,
    n_failed {int} NOT NULL DEFAULT 0,
    worked_us {int} NOT NULL DEFAULT 0,
    born_us {int} NOT NULL,
    heartbeat_us {int} NOT NULL
) {strict};

CREATE TABLE training_sessions (
    id {id},
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'discovering', 'running', 'paused', 'completed', 'cancelled', 'failed')),
    root_path {blob} NOT NULL,
    category_id {int} REFERENCES categories (id) ON DELETE SET NULL,
    config_json TEXT,
    generation {int} NOT NULL DEFAULT 0, -- grows with every start: a run of an older one writes nothing
    reset_reason TEXT,
    error TEXT,
    created_us {int} NOT NULL,
    started_us {int},
    completed_us {int},
    paused_us {int},
    reset_us {int}
) {strict};
CREATE INDEX training_sessions_status ON training_sessions (status);

CREATE TABLE training_subdirectories (
    id {id},
    session_id {int} NOT NULL REFERENCES training_sessions (id) ON DELETE CASCADE,
    path {blob} NOT NULL,
    name TEXT NOT NULL,
    is_selected {int} NOT NULL DEFAULT 1,
    created_us {int} NOT NULL,
    UNIQUE (session_id, path)
) {strict};

CREATE TABLE vector_deletions (
    id {id},
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    n_vectors {int} NOT NULL,
    reason TEXT,
    created_us {int} NOT NULL
) {strict};

CREATE TABLE ignored_directories (
    path {blob} NOT NULL PRIMARY KEY,
    reason TEXT,
    created_us {int} NOT NULL
) {strict};
