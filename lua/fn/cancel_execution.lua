--- Ends an execution that nobody runs, or asks its holder to end it. The outcome is `cancelled`,
--- `requested`, or the state in which it had ended.
---
--- @flags allow-oom
--- @arg id      id
--- @arg request bytes  16 bytes of request id
--- @arg reason  text
--- @ok outcome text
--- @ok left    text  flows in which something is left to do, joined by commas
--- @err NOT_FOUND
local run = require("run")
local steered = require("steered")
local told = require("told")

local OWN = { cancelled = true, requested = true }

return function(partition, id, request, reason)
  return steered.by(partition, id, request, OWN, function(r, now)
    if run.is_over(r) then
      return "ended " .. r.f.st, false
    elseif r.f.li and r.f.ca then
      return "requested", false
    end
    run.set_cancelled(r, reason, now)
    if r.f.li then
      told.cancelled(r)
      return "requested", true
    end
    run.finish(r, "cancelled", now)
    return "cancelled", true
  end)
end
