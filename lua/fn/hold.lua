--- Keeps an execution from being handed out. The outcome is `held` or `already`.
---
--- @flags allow-oom
--- @arg id      id
--- @arg request bytes  16 bytes of request id
--- @ok outcome text
--- @err NOT_FOUND ALREADY_TERMINAL
local reasons = require("reasons")
local record = require("record")
local reply = require("reply")
local run = require("run")
local steered = require("steered")

local OWN = { held = true }

return function(partition, id, request)
  return steered.by(partition, id, request, OWN, function(r)
    if run.is_over(r) then
      return nil, false, reply.err("ALREADY_TERMINAL", r.f.st)
    elseif reasons.has(r, reasons.HOLD) then
      return "already", false
    end
    reasons.add(r, reasons.HOLD)
    record.remove(r, record.TOKEN)
    if not r.f.li and r.f.st ~= "suspended" and not r.f.cw then
      r.f.st = reasons.state(r)
    end
    return "held", true
  end)
end
