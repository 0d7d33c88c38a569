--- Takes the lease of the running attempt away. The outcome is `revoked` or `not_active`.
---
--- @flags allow-oom
--- @arg id      id
--- @arg request bytes  16 bytes of request id
--- @ok outcome text
--- @err NOT_FOUND
local barrier = require("barrier")
local lease = require("lease")
local run = require("run")
local steered = require("steered")

local OWN = { revoked = true }

return function(partition, id, request)
  return steered.by(partition, id, request, OWN, function(r, now)
    if not r.f.li then
      return "not_active", false
    end
    lease.finish(r, lease.REVOKED)
    barrier.hear_of(r)
    if r.f.ca then
      run.finish(r, "cancelled", now)
    else
      run.close_attempt(r)
      run.await_turn(r, "c", now)
    end
    return "revoked", true
  end)
end
