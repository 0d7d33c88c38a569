--- Executions behind an id in the order of ids: looks at up to `examined` of them and answers those
--- that the filters let through.
---
--- An item is id, lane, kind, state, attempt or empty, priority, submitted at, ended at or empty.
---
--- @flags no-writes
--- @arg after    text  an id, or empty for the beginning
--- @arg examined int
--- @arg most     int   items
--- @arg states   text  each behind a comma; empty for all
--- @arg lane     text  or empty
--- @arg kind     text  or empty
--- @arg tag      text  or empty
--- @ok last  text  the last id that was looked at, or empty
--- @ok seen  int   how many were looked at
--- @ok more  flag  whether there are others behind it
--- @ok items list
local flow = require("flow")
local keys = require("keys")
local record = require("record")
local reply = require("reply")
local tags = require("tags")

local function wants(f, filter)
  return (filter.states == "" or string.find(filter.states, "," .. f.st .. ",", 1, true))
    and (filter.lane == "" or filter.lane == f.ln)
    and (filter.kind == "" or filter.kind == f.kd)
    and tags.has({ f = f }, filter.tag)
end

return function(partition, after, examined, most, states, lane, kind, tag)
  local filter = { states = states, lane = lane, kind = kind, tag = tag }
  local from = after == "" and "-" or "(" .. after
  local ids = redis.call("ZRANGE", keys.all(partition), from, "+", "BYLEX", "LIMIT", 0, examined + 1)
  local items, last, seen = {}, "", 0
  for _, id in ipairs(ids) do
    if seen == tonumber(examined) or #items == tonumber(most) then
      return reply.ok(last, seen, "1", items)
    end
    local f = record.summary(partition, id)
    if f and wants(f, filter) and not (f.nd and flow.hides({ partition = partition, f = f })) then
      items[#items + 1] = { id, f.ln, f.kd, f.st, f.ai or "", f.pr, f.at, f.ea or "" }
    end
    last, seen = id, seen + 1
  end
  return reply.ok(last, seen, "0", items)
end
