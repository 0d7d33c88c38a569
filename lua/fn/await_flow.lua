--- Asks to be told of the end of a flow on its channel. Answers whether it has ended already.
---
--- @flags allow-oom
--- @arg flow id
--- @ok ended flag
--- @ok open  int  members that have not ended
--- @err FLOW_NOT_FOUND
local clock = require("clock")
local flow = require("flow")
local record = require("record")
local reply = require("reply")

return function(partition, id)
  local fl = flow.open(partition, id)
  if not fl then
    return reply.err("FLOW_NOT_FOUND")
  elseif fl.f.ea then
    return reply.ok("1", 0)
  end
  record.set(fl, "aw", "1")
  flow.save(fl, clock.now_ms(partition))
  return reply.ok("0", fl.open)
end
