--- Wakes another process for an execution whose wake-up came to one that has nobody waiting.
---
--- @flags allow-oom
--- @arg id id
--- @ok woken flag
local clock = require("clock")
local execution = require("execution")
local lane_due = require("lane_due")
local lanes = require("lanes")
local reply = require("reply")
local waiters = require("waiters")
local wakes = require("wakes")

return function(partition, id)
  local r = execution.open(partition, id)
  if not r or r.queue then
    return reply.ok(r and waiters.wake(r, r.queue) and "1" or "0")
  end
  -- Somebody else runs it: what its lane has room for may be for others.
  local now, ln = clock.now_ms(partition), lane_due.load(partition, r.f.ln)
  local room = ln and lanes.room(ln, now) or 0
  return reply.ok(room > 0 and wakes.one(ln, {}, now) and "1" or "0")
end
