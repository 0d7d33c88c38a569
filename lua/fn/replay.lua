--- Reopens an execution that ended. The outcome is `replayed <index of the next attempt>`.
---
--- @flags allow-oom
--- @arg id      id
--- @arg request bytes  16 bytes of request id
--- @ok outcome text
--- @ok left    text  flows in which something is left to do, joined by commas
--- @err NOT_FOUND NOT_TERMINAL DEPENDENCIES_UNMET FLOW_CANCELLED
local flow = require("flow")
local joins = require("joins")
local member = require("member")
local record = require("record")
local reply = require("reply")
local run = require("run")
local steered = require("steered")
local waits = require("waits")

local OWN = { replayed = true }
local SHORT = { "ca", "pp", "fc", "fa", "ft", "rk" }
local LONG = { "cr", "pm", "fm", "fd", "re", "ug" }

--- Lets the edges of a member decide anew. Answers a refusal when it cannot run.
local function reopen(r)
  if not flow.open(r.partition, member.node(r).flow) then
    return reply.err("NOT_FOUND")
  elseif flow.cancel_of(r) then
    return reply.err("FLOW_CANCELLED", member.node(r).flow)
  end
  local d, decision = joins.of(r), joins.decided(r)
  if decision == "s" then
    return reply.err("DEPENDENCIES_UNMET")
  end
  d.was_unhandled, d.unhandled, d.decision = d.unhandled, false, decision
  joins.keep(r)
  return nil
end

return function(partition, id, request)
  return steered.by(partition, id, request, OWN, function(r, now)
    if not run.is_over(r) then
      return nil, false, reply.err("NOT_TERMINAL")
    end
    if r.f.nd then
      local refused = reopen(r)
      if refused then
        return nil, false, refused
      end
    end
    for _, field in ipairs(SHORT) do
      record.set(r, field, nil)
    end
    for _, field in ipairs(LONG) do
      record.set_text(r, field, nil)
    end
    waits.forget_all(r)
    r.f.rt, r.f.rc = "0", "0"
    run.await_turn(r, nil, run.open_again(r, now))
    local next_attempt = r.f.ai and tonumber(r.f.ai) + 1 or 0
    return "replayed " .. string.format("%d", next_attempt), true
  end)
end
