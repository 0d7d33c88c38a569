--- Does some of what is left to do in a flow.
---
--- @flags allow-oom
--- @arg flow id
--- @ok open int   members that have not ended
--- @ok left text  flows in which something is left to do, joined by commas
--- @err FLOW_NOT_FOUND
local effort = require("effort")
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
    return reply.ok(fl.open, "")
  end
  local w = work.on(fl, clock.now_ms(partition))
  propagate.run(w)
  return reply.ok(fl.open, effort.left(w.looked))
end
