--- Flows behind an id in the order of ids: looks at up to `examined` of them and answers those that the
--- filters let through.
---
--- An item is id, state, number of nodes, how many are open, when submitted, when ended or empty.
---
--- @flags no-writes
--- @arg after    text  an id, or empty for the beginning
--- @arg examined int
--- @arg most     int   items
--- @arg states   text  each behind a comma; empty for all
--- @arg tag      text  or empty
--- @ok last  text  the last id that was looked at, or empty
--- @ok seen  int   how many were looked at
--- @ok more  flag  whether there are others behind it
--- @ok items list
local flow = require("flow")
local keys = require("keys")
local reply = require("reply")
local tags = require("tags")

return function(partition, after, examined, most, states, tag)
  local from = after == "" and "-" or "(" .. after
  local ids = redis.call("ZRANGE", keys.flows(partition), from, "+", "BYLEX", "LIMIT", 0, examined + 1)
  local items, last, seen = {}, "", 0
  for _, id in ipairs(ids) do
    if seen == tonumber(examined) or #items == tonumber(most) then
      return reply.ok(last, seen, "1", items)
    end
    local fl = flow.open(partition, id)
    if fl and (states == "" or string.find(states, "," .. fl.state .. ",", 1, true)) and tags.has(fl, tag) then
      items[#items + 1] = { id, fl.state, fl.nodes, fl.open, fl.at, fl.f.ea or "" }
    end
    last, seen = id, seen + 1
  end
  return reply.ok(last, seen, "0", items)
end
