--- Ends the wait of a suspended execution from outside. The outcome is `resumed`, or `not_suspended`
--- and the state.
---
--- @flags allow-oom
--- @arg id      id
--- @arg request bytes  16 bytes of request id
--- @arg reason  text
--- @ok outcome text
--- @err NOT_FOUND
local resume = require("resume")
local steered = require("steered")

local OWN = { resumed = true }

return function(partition, id, request, reason)
  return steered.by(partition, id, request, OWN, function(r, now)
    if r.f.st ~= "suspended" then
      return "not_suspended " .. r.f.st, false
    end
    resume.by(r, "o" .. reason, {}, now)
    return "resumed", true
  end)
end
