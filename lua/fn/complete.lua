--- Ends the execution as `completed`.
---
--- @flags allow-oom
--- @arg id      id
--- @arg attempt int
--- @arg epoch   int
--- @arg lease   bytes  16 bytes
--- @arg digest  text   of the result
--- @arg given   flag   whether there is a result
--- @arg type    text   its content type; empty for the default one
--- @arg result  bytes
--- @ok released text
--- @ok left     text  flows in which something is left to do, joined by commas
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED
local held = require("held")
local record = require("record")
local run = require("run")

return function(partition, id, attempt, epoch, lease_id, digest, given, content_type, result)
  return held.by(partition, id, attempt, epoch, lease_id, "c" .. digest, function(r, now)
    if given == "1" then
      record.set(r, "rk", content_type)
      record.set_text(r, "re", result)
    end
    run.finish(r, "completed", now)
    return nil, "e completed"
  end)
end
