--- Everything about one flow but its graph.
---
--- @flags no-writes
--- @arg flow id
--- @ok fields list
--- @err FLOW_NOT_FOUND
local flow = require("flow")
local reply = require("reply")

return function(partition, id)
  local fl = flow.open(partition, id)
  if not fl then
    return reply.err("FLOW_NOT_FOUND")
  end
  return reply.ok(flow.flat(fl))
end
