-- What a training session had done when it was completed; NULL: it is counted.
-- SPDX-License-Identifier: Apache-2.0

ALTER TABLE training_sessions ADD COLUMN n_assets {int};
ALTER TABLE training_sessions ADD COLUMN n_done {int};
ALTER TABLE training_sessions ADD COLUMN n_failed {int};
ALTER TABLE training_sessions ADD COLUMN n_unique {int};
ALTER TABLE training_sessions ADD COLUMN n_skipped {int};
