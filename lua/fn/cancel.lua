--- Ends the execution as `cancelled`, by its holder. The reason of a pending cancellation stands
--- before the holder's.
---
--- @flags allow-oom
--- @arg id      id
--- @arg attempt int
--- @arg epoch   int
--- @arg lease   bytes  16 bytes
--- @arg digest  text   of the reason
--- @arg reason  text
--- @ok released text
--- @ok left     text  flows in which something is left to do, joined by commas
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED
local held = require("held")
local run = require("run")

return function(partition, id, attempt, epoch, lease_id, digest, reason)
  return held.by(partition, id, attempt, epoch, lease_id, "x" .. digest, function(r, now)
    run.mark_cancelled(r, reason, now)
    run.finish(r, "cancelled", now)
    return nil, "e cancelled"
  end)
end
