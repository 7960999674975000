-- What a face session takes back of what was there when it was made: 1 what comparing decided, 2 also persons of whom no
-- face is by a user's word.
-- SPDX-License-Identifier: Apache-2.0

ALTER TABLE face_sessions ADD COLUMN takes_back {int} NOT NULL DEFAULT 0;
