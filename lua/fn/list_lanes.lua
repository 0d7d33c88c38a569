--- The names of lanes that were steered, behind one, in their order.
---
--- @flags no-writes
--- @arg after text  a name, or empty for the beginning
--- @arg most  int   items
--- @ok names list
local keys = require("keys")
local reply = require("reply")

return function(partition, after, most)
  local from = after == "" and "-" or "(" .. after
  local key = keys.steered_lanes(partition)
  return reply.ok(redis.call("ZRANGE", key, from, "+", "BYLEX", "LIMIT", 0, most))
end
