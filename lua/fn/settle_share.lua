--- Takes the message of a share of a budget that lies in another partition: counts what it has used, and grants it what
--- there is room for.
---
--- @flags allow-oom
--- @arg budget  id
--- @arg share   text   the number of its partition
--- @arg message bytes  see `share_messages`
--- @ok answer   bytes
--- @ok recalled text   the shares that are to give back what nobody uses, joined by spaces: what is needed at once is not
---                     there otherwise
--- @err BUDGET_NOT_FOUND
local budget = require("budget")
local clock = require("clock")
local reply = require("reply")
local settling = require("settling")
local window = require("window")

return function(partition, id, name, message)
  local now = clock.now_ms(partition)
  local b = budget.load(partition, id)
  if not b then
    return reply.err("BUDGET_NOT_FOUND", id)
  end
  window.roll(b, now)
  local answer, recalled = settling.hear(b, name, message, now)
  budget.save(b, now)
  return reply.ok(answer, recalled)
end
