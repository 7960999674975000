-- The faces of a person, best first, and what is counted of them, from the index alone.
-- SPDX-License-Identifier: Apache-2.0

DROP INDEX faces_person;
CREATE INDEX faces_person ON faces (person_id, model_id, quality DESC, id, content_id) WHERE person_id IS NOT NULL;
