--- Everything about a budget, and how many wait for room in it.
---
--- @flags no-writes
--- @arg budget id
--- @ok now     time
--- @ok blocked int
--- @ok fields  list
--- @err BUDGET_NOT_FOUND
local budget = require("budget")
local clock = require("clock")
local keys = require("keys")
local reply = require("reply")

return function(partition, id)
  local b = budget.load(partition, id)
  if not b then
    return reply.err("BUDGET_NOT_FOUND", id)
  end
  local line, aside = keys.budget_line(partition, id), keys.budget_aside(partition, id)
  local waiting = redis.call("ZCARD", line) + redis.call("ZCARD", aside)
  return reply.ok(clock.now_ms(partition), waiting, budget.flat(b))
end
