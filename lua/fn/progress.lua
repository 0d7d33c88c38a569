--- Reports how far the attempt is.
---
--- @flags allow-oom
--- @arg id      id
--- @arg attempt int
--- @arg epoch   int
--- @arg lease   bytes  16 bytes
--- @arg percent int
--- @arg message text
--- @arg told    flag   whether there is a message
--- @ok
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED
local held = require("held")
local record = require("record")
local reply = require("reply")

return function(partition, id, attempt, epoch, lease_id, percent, message, told)
  return held.by(partition, id, attempt, epoch, lease_id, nil, function(r)
    record.set(r, "pp", percent)
    record.set_text(r, "pm", told == "1" and message or nil)
    return reply.ok()
  end)
end
