--- Makes a schedule, unless the same one is there.
---
--- @arg schedule    id
--- @arg fingerprint text  of the whole
--- @arg tags        text  `<key> <value>` a line
--- @arg fields      bytes  names and values of its other fields, packed
--- @ok made flag
--- @err SCHEDULE_ID BUDGET_NOT_FOUND
local clock = require("clock")
local keys = require("keys")
local number = require("number")
local planned = require("planned")
local record = require("record")
local reply = require("reply")
local schedule = require("schedule")

return function(partition, id, fingerprint, tags, fields)
  local now = clock.now_ms(partition)
  local there = schedule.load(partition, id)
  if there and string.match(there.f.s, "%x+$") == fingerprint then
    return reply.ok("0")
  elseif there then
    return reply.err("SCHEDULE_ID")
  end
  local s = schedule.in_hand(partition, id, {})
  record.set(s, "s", number.text(now) .. " " .. fingerprint)
  record.set(s, "tg", tags ~= "" and tags or nil)
  planned.set(s, fields)
  local unknown = planned.unknown_budget(s)
  if unknown then
    return reply.err("BUDGET_NOT_FOUND", unknown)
  end
  redis.call("ZADD", keys.schedules(partition), 0, id)
  schedule.save(s, now)
  return reply.ok("1")
end
