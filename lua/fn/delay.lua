--- Pauses the attempt: the lease is given back, and the same attempt resumes by way of the reclaim
--- scanner.
---
--- @flags allow-oom
--- @arg id      id
--- @arg attempt int
--- @arg epoch   int
--- @arg lease   bytes  16 bytes
--- @arg digest  text   of the time
--- @arg at      time
--- @arg saves   flag   whether a state is saved with it
--- @arg state   bytes
--- @ok released text
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED CANCEL_REQUESTED
local held = require("held")
local kept = require("kept")
local reply = require("reply")
local run = require("run")

return function(partition, id, attempt, epoch, lease_id, digest, at, saves, state)
  return held.by(partition, id, attempt, epoch, lease_id, "d" .. digest, function(r, now)
    if r.f.ca then
      return reply.err("CANCEL_REQUESTED"), false
    end
    if saves == "1" then
      kept.set_state(r, state)
    end
    run.await_turn(r, "c", run.delay(r, tonumber(at), now))
    return nil, "p " .. at
  end)
end
