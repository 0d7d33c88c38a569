--- Wakes another process for an execution whose wake-up came to one that has nobody waiting.
---
--- @flags allow-oom
--- @arg id id
--- @ok woken flag
local execution = require("execution")
local reply = require("reply")
local waiters = require("waiters")

return function(partition, id)
  local r = execution.open(partition, id)
  local woken = r and r.queue and waiters.wake(r, r.queue)
  return reply.ok(woken and "1" or "0")
end
