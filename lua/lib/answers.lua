--- What the latest claim and the latest reclaim request of each worker instance on a lane were
--- given, for a repeat: `<end in ms> `, 16 bytes of request id, and 32 digits of id an item.
---
--- The position of an item is the index that its lease or grant id was derived with.
local clock = require("clock")
local keys = require("keys")
local number = require("number")

local answers = {}

local REQUEST_ID_BYTES = 16
local ID_BYTES = 32
--- The low 16 bits of a request id are free for the index.
local PREFIX_BYTES = 14

--- The lease or grant id of the item with this index, counted from 0.
function answers.derived(request, index)
  return string.sub(request, 1, PREFIX_BYTES) .. string.char((index - index % 256) / 256, index % 256)
end

--- The executions that this same request was given, or nil when it is a new one, and then the settings of the
--- lane, if it was steered.
function answers.find(partition, asked, instance, lane, request, now)
  local answer = keys.answer(partition, asked, instance, lane)
  local found = redis.call("MGET", answer, keys.lane_settings(partition, lane))
  if not found[1] or not string.find(found[1], request, 1, true) then
    return nil, found[2] or nil
  end
  local ends_at, rest = string.match(found[1], "^(%d+) (.*)$")
  if tonumber(ends_at) <= now or string.sub(rest, 1, REQUEST_ID_BYTES) ~= request then
    return nil, found[2] or nil
  end
  local ids = {}
  for at = REQUEST_ID_BYTES + 1, #rest, ID_BYTES do
    ids[#ids + 1] = string.sub(rest, at, at + ID_BYTES - 1)
  end
  return ids
end

--- Remembers what a request was given, in place of the one before.
function answers.remember(partition, asked, instance, lane, request, ids, now, ttl)
  local ends_at = number.later(now, ttl)
  local value = number.text(ends_at) .. " " .. request .. table.concat(ids)
  clock.set_until(partition, keys.answer(partition, asked, instance, lane), value, ends_at)
end

return answers
