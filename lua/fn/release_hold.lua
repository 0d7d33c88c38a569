--- Lifts a hold; other reasons stay. The outcome is `released` or `not_held`.
---
--- @flags allow-oom
--- @arg id      id
--- @arg request bytes  16 bytes of request id
--- @ok outcome text
--- @err NOT_FOUND ALREADY_TERMINAL
local number = require("number")
local reasons = require("reasons")
local reply = require("reply")
local run = require("run")
local steered = require("steered")

local OWN = { released = true }

return function(partition, id, request)
  return steered.by(partition, id, request, OWN, function(r, now)
    if run.is_over(r) then
      return nil, false, reply.err("ALREADY_TERMINAL", r.f.st)
    elseif not reasons.has(r, reasons.HOLD) then
      return "not_held", false
    end
    reasons.remove(r, reasons.HOLD)
    if not r.f.li and r.f.st ~= "suspended" and not r.f.cw then
      r.f.st = reasons.state(r)
      if r.f.st == "ready" then
        r.f.ra = number.text(now)
      end
    end
    return "released", true
  end)
end
