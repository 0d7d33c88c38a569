--- Ends the attempt as failed; class and policy decide whether another follows.
---
--- @flags allow-oom
--- @arg id          id
--- @arg attempt     int
--- @arg epoch       int
--- @arg lease       bytes  16 bytes
--- @arg digest      text   of the arguments
--- @arg class       text
--- @arg message     text
--- @arg given       flag   whether there is a detail
--- @arg detail      bytes
--- @arg retry_after text   ms, or empty for the policy's back-off
--- @ok released text
--- @ok left     text  flows in which something is left to do, joined by commas
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED
local held = require("held")
local retry = require("retry")
local run = require("run")

return function(partition, id, attempt, epoch, lease_id, digest, class, message, given, detail, retry_after)
  return held.by(partition, id, attempt, epoch, lease_id, "f" .. digest, function(r, now)
    run.record_failure(r, class, message, given == "1" and detail or nil, now)
    if class == "cancelled" then
      run.mark_cancelled(r, message, now)
    end
    return nil, retry.dispose(r, class, tonumber(retry_after), now)
  end)
end
