--- The present of the store.
---
--- @flags no-writes
--- @ok now time
local clock = require("clock")
local reply = require("reply")

return function(partition)
  return reply.ok(clock.now_ms(partition))
end
