--- Budgets behind an id, in the order of ids.
---
--- An item is id, how many wait for room in it, and its fields.
---
--- @flags no-writes
--- @arg after text  an id, or empty for the beginning
--- @arg most  int   items
--- @ok now   time
--- @ok items list
local budget = require("budget")
local clock = require("clock")
local keys = require("keys")
local reply = require("reply")
local shares = require("shares")

return function(partition, after, most)
  local from, items = after == "" and "-" or "(" .. after, {}
  for _, id in ipairs(redis.call("ZRANGE", keys.budgets(partition), from, "+", "BYLEX", "LIMIT", 0, most)) do
    local b = budget.load(partition, id)
    items[#items + 1] = { id, shares.waiting(b), budget.flat(b) }
  end
  return reply.ok(clock.now_ms(partition), items)
end
