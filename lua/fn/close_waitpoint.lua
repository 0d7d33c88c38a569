--- Closes a waitpoint, by its holder. The outcome is `closed` or `already_closed`.
---
--- @flags allow-oom
--- @arg id      id
--- @arg attempt int
--- @arg epoch   int
--- @arg lease   bytes  16 bytes
--- @arg waitpoint id
--- @ok outcome text
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED WAITPOINT_NOT_FOUND
local held = require("held")
local reply = require("reply")
local waitpoints = require("waitpoints")
local waits = require("waits")

return function(partition, id, attempt, epoch, lease_id, waitpoint)
  return held.by(partition, id, attempt, epoch, lease_id, nil, function(r, now)
    local p = waits.of(r).known[waitpoint]
    if not p then
      return reply.err("WAITPOINT_NOT_FOUND"), false
    elseif p.closer == epoch then
      return reply.ok("closed"), false
    elseif not waitpoints.is_open(p, now) then
      return reply.ok("already_closed"), false
    end
    waits.close(p)
    p.closer = epoch
    return reply.ok("closed")
  end)
end
