--- Limits some dimensions of a budget anew, and lets it start from nothing when asked.
---
--- @arg budget  id
--- @arg request bytes  16 bytes of request id
--- @arg reset   flag
--- @arg limits  bytes  three values of each dimension, packed: its name, and the soft and the hard limit, each `-` for none
--- @ok shares text  the numbers of the partitions that have shares of it, joined by spaces
--- @err BUDGET_NOT_FOUND BUDGET_DIMENSION
local budget = require("budget")
local clock = require("clock")
local dimensions = require("dimensions")
local keys = require("keys")
local operator = require("operator")
local packed = require("packed")
local record = require("record")
local reply = require("reply")
local share_news = require("share_news")
local shares = require("shares")
local window = require("window")

local OWN = { adjusted = true }

return function(partition, id, request, reset, limits)
  local now = clock.now_ms(partition)
  local b = budget.load(partition, id)
  if not b then
    return reply.err("BUDGET_NOT_FOUND", id)
  elseif operator.done_by(b, request, OWN) then
    return reply.ok(shares.names(b))
  end
  local values = packed.read(limits)
  for at = 1, #values, 3 do
    if not dimensions.of(b, values[at]) then
      return reply.err("BUDGET_DIMENSION", values[at])
    end
  end
  window.roll(b, now)
  for at = 1, #values, 3 do
    dimensions.bound(dimensions.of(b, values[at]), values[at + 1], values[at + 2])
  end
  if reset == "1" then
    for _, limit in ipairs(b.limits) do
      limit.used = 0
    end
  end
  operator.remember(b, request, "adjusted")
  window.renew(b)
  local waiting = redis.call("EXISTS", keys.budget_line(partition, id), keys.budget_aside(partition, id))
  if share_news.tell_all(b) or waiting > 0 then
    record.set_number(b, "la", now)
  end
  budget.save(b, now)
  return reply.ok(shares.names(b))
end
