--- Saves what the handler wants to find when it is called again, in place of what it saved before.
---
--- @arg id      id
--- @arg attempt int
--- @arg epoch   int
--- @arg lease   bytes  16 bytes
--- @arg given   flag   whether there is a state; else it is removed
--- @arg state   bytes
--- @ok
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED
local held = require("held")
local kept = require("kept")
local reply = require("reply")

return function(partition, id, attempt, epoch, lease_id, given, state)
  return held.by(partition, id, attempt, epoch, lease_id, nil, function(r)
    kept.set_state(r, given == "1" and state or nil)
    return reply.ok()
  end)
end
