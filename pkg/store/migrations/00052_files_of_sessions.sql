-- +goose Up
SET lock_timeout = '2s';

-- WASenderApi calls a file by the id of its message. Others have ids of their own, and
-- are not in it. (The test is written as IS TRUE because the planner takes an equality
-- apart, and then does not know it again.)
CREATE INDEX messages_files ON messages (channel, provider_id)
 WHERE (COALESCE(content #>> '{media,id}', content #>> '{message,media,id}') = provider_id) IS TRUE;

-- +goose Down
-- Forward only.
SELECT 1;
