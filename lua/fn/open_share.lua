--- Makes the share of a budget that lies in another partition, unless it is there. It holds nothing, also of what the
--- budget does not limit, until the home has heard of it.
---
--- @arg budget     id
--- @arg made       text  see `budget`
--- @arg generation text  of the budget, or empty
--- @arg tags       text  `<key> <value>` a line
--- @arg figures    text  name, soft and hard limit, what is used and what is reserved of each dimension, joined by spaces
--- @ok made flag
local budget = require("budget")
local clock = require("clock")
local keys = require("keys")
local reply = require("reply")
local share = require("share")

return function(partition, id, made, generation, tags, figures)
  if redis.call("EXISTS", keys.budget(partition, id)) == 1 then
    return reply.ok("0")
  end
  local at, action, fingerprint = string.match(made, "^(%d+) (%l) %d+ %d+ (%x+)$")
  local flat, changed = { "s", at .. " " .. action .. " 0 0 " .. fingerprint, "fi", figures }, { s = true, fi = true }
  if tags ~= "" then
    flat[5], flat[6], changed.tg = "tg", tags, true
  end
  if generation ~= "" then
    flat[#flat + 1], flat[#flat + 2], changed.ge = "ge", generation, true
  end
  local b = budget.in_hand(partition, id, flat)
  for name in pairs(share.home(b)) do
    local field = "d:" .. name
    flat[#flat + 1], flat[#flat + 2] = field, "- 0 0 0"
    changed[field] = true
  end
  b = budget.in_hand(partition, id, flat)
  b.changed = changed
  local now = clock.now_ms(partition)
  share.note(b, now, true)
  budget.save(b, now)
  return reply.ok("1")
end
