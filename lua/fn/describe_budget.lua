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
local reply = require("reply")
local shares = require("shares")

return function(partition, id)
  local b = budget.load(partition, id)
  if not b then
    return reply.err("BUDGET_NOT_FOUND", id)
  end
  return reply.ok(clock.now_ms(partition), shares.waiting(b), budget.flat(b))
end
