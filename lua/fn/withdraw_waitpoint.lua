--- Closes a waitpoint from outside. The outcome is `withdrawn` or `already_closed`.
---
--- @flags allow-oom
--- @arg id        id
--- @arg request   bytes  16 bytes of request id
--- @arg waitpoint id
--- @ok outcome text
--- @err NOT_FOUND WAITPOINT_NOT_FOUND
local reply = require("reply")
local resume = require("resume")
local steered = require("steered")
local waitpoints = require("waitpoints")
local waits = require("waits")

local OWN = { withdrawn = true }

return function(partition, id, request, waitpoint)
  return steered.by(partition, id, request, OWN, function(r, now)
    local p = waits.of(r).known[waitpoint]
    if not p then
      return nil, false, reply.err("WAITPOINT_NOT_FOUND")
    elseif not waitpoints.is_open(p, now) then
      return "already_closed", false
    end
    waits.close(p)
    resume.give_up_if_impossible(r, now, now)
    return "withdrawn", true
  end)
end
