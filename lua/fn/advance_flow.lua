--- Does some of what is left to do in a flow.
---
--- @flags allow-oom
--- @arg flow id
--- @ok open int   members that have not ended
--- @ok left flag  something is left to do
--- @err FLOW_NOT_FOUND
local clock = require("clock")
local flow = require("flow")
local propagate = require("propagate")
local reply = require("reply")
local work = require("work")

return function(partition, id)
  local fl = flow.open(partition, id)
  if not fl then
    return reply.err("FLOW_NOT_FOUND")
  elseif not fl.f.lf then
    return reply.ok(fl.open, "0")
  end
  local left = propagate.run(work.on(fl, clock.now_ms(partition)))
  return reply.ok(fl.open, left and "1" or "0")
end
