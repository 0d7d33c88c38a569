--- Makes a budget, unless the same one is there.
---
--- @arg budget      id
--- @arg fingerprint text  of the whole
--- @arg action      text  `r` report, `b` block or `f` fail
--- @arg every       int   length of its windows, ms; 0 for none
--- @arg anchor      int   one of their starts, ms
--- @arg tags        text  `<key> <value>` a line
--- @arg limits      bytes  three values of each dimension, packed: its name, and the soft and the hard limit, each `-` for none
--- @ok made flag
--- @err BUDGET_ID
local budget = require("budget")
local clock = require("clock")
local keys = require("keys")
local number = require("number")
local packed = require("packed")
local record = require("record")
local reply = require("reply")
local window = require("window")

return function(partition, id, fingerprint, action, every, anchor, tags, limits)
  local now = clock.now_ms(partition)
  local there = budget.load(partition, id)
  if there and there.is.fingerprint == fingerprint then
    return reply.ok("0")
  elseif there then
    return reply.err("BUDGET_ID")
  end
  local made = number.text(now) .. " " .. action .. " " .. every .. " " .. anchor .. " " .. fingerprint
  local values, flat, changed = packed.read(limits), { "s", made }, { s = true }
  for at = 1, #values, 3 do
    local field = "d:" .. values[at]
    flat[#flat + 1], flat[#flat + 2] = field, values[at + 1] .. " " .. values[at + 2] .. " 0 0"
    changed[field] = true
  end
  local b = budget.in_hand(partition, id, flat)
  b.changed = changed
  record.set(b, "tg", tags ~= "" and tags or nil)
  if b.is.every > 0 then
    record.set_number(b, "w", window.start_at(b, now))
  end
  redis.call("ZADD", keys.budgets(partition), 0, id)
  budget.save(b, now)
  return reply.ok("1")
end
