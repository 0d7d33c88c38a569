--- Schedules behind an id, in the order of ids.
---
--- An item is id and fields.
---
--- @flags no-writes
--- @arg after text  an id, or empty for the beginning
--- @arg most  int   items
--- @ok items list
local keys = require("keys")
local reply = require("reply")
local schedule = require("schedule")

return function(partition, after, most)
  local from, items = after == "" and "-" or "(" .. after, {}
  for _, id in ipairs(redis.call("ZRANGE", keys.schedules(partition), from, "+", "BYLEX", "LIMIT", 0, most)) do
    items[#items + 1] = { id, schedule.flat(schedule.load(partition, id)) }
  end
  return reply.ok(items)
end
