--- Reopens an execution that ended. The outcome is `replayed <index of the next attempt>`.
---
--- @flags allow-oom
--- @arg id      id
--- @arg request bytes  16 bytes of request id
--- @ok outcome text
--- @err NOT_FOUND NOT_TERMINAL
local record = require("record")
local reply = require("reply")
local run = require("run")
local steered = require("steered")
local waits = require("waits")

local OWN = { replayed = true }
local SHORT = { "ca", "pp", "fc", "fa", "ft", "rk" }
local LONG = { "cr", "pm", "fm", "fd", "re" }

return function(partition, id, request)
  return steered.by(partition, id, request, OWN, function(r, now)
    if not run.is_over(r) then
      return nil, false, reply.err("NOT_TERMINAL")
    end
    for _, field in ipairs(SHORT) do
      record.set(r, field, nil)
    end
    for _, field in ipairs(LONG) do
      record.set_text(r, field, nil)
    end
    waits.forget_all(r)
    r.f.rt, r.f.rc, r.f.ea = "0", "0", nil
    if run.missed_deadline(r, now) then
      record.set(r, "dl", nil)
    end
    run.await_turn(r, nil, now)
    local next_attempt = r.f.ai and tonumber(r.f.ai) + 1 or 0
    return "replayed " .. string.format("%d", next_attempt), true
  end)
end
