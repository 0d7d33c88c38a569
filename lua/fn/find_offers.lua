--- Whether some live worker of a lane offers all that is required, and if not, what of it is offered by any.
---
--- @flags no-writes
--- @arg lane     text
--- @arg requires text  capabilities, canonical
--- @ok covered flag
--- @ok offered list
local clock = require("clock")
local offers = require("offers")
local reply = require("reply")

return function(partition, lane, requires)
  local covered, offered = offers.cover(partition, lane, requires, clock.now_ms(partition))
  return reply.ok(covered and "1" or "0", offered)
end
