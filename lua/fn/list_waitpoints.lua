--- Open waitpoints behind one in the order of their ids, of a partition or of one execution: looks at
--- up to `examined` of them, and stops where their executions keep very much.
---
--- An item is waitpoint, execution, key, state letter, kind letter or empty, when made, when it
--- expires, and how many signals it keeps.
---
--- @flags no-writes
--- @arg execution text  or empty for all
--- @arg after     text  `<waitpoint> <execution>`, or empty for the beginning
--- @arg examined  int
--- @arg most      int   items wanted
--- @ok last  text  the last one looked at, in the same form
--- @ok seen  int
--- @ok more  flag  whether there are more behind it
--- @ok items list
--- @err NOT_FOUND
local clock = require("clock")
local keys = require("keys")
local record = require("record")
local reply = require("reply")
local waitpoints = require("waitpoints")
local waits = require("waits")

--- Waitpoints and signals of the executions looked at, beyond which a call stops.
local LOADED_MAX = 10000

--- The places of those that are not closed, behind one.
local function of_one(r, after)
  local members = {}
  for _, p in ipairs(waits.of(r).all) do
    local member = p.id .. " " .. r.id
    if p.state ~= "c" and member > after then
      members[#members + 1] = member
    end
  end
  table.sort(members)
  return members
end

return function(partition, execution, after, examined, most)
  local now, known = clock.now_ms(partition), {}
  local members
  if execution ~= "" then
    known[execution] = record.load(partition, execution)
    if not known[execution] then
      return reply.err("NOT_FOUND")
    end
    members = of_one(known[execution], after)
  else
    local from = after == "" and "-" or "(" .. after
    local key = keys.open_waitpoints(partition)
    members = redis.call("ZRANGE", key, from, "+", "BYLEX", "LIMIT", 0, examined + 1)
  end
  local items, last, seen, loaded = {}, "", 0, 0
  for _, member in ipairs(members) do
    if seen == tonumber(examined) or #items == tonumber(most) or loaded > LOADED_MAX then
      return reply.ok(last, seen, "1", items)
    end
    local id, of = string.match(member, "^(%x+) (%x+)$")
    if not known[of] then
      known[of] = record.load(partition, of)
      loaded = loaded + (known[of] and waits.of(known[of]).accepted or 0) + 1
    end
    local p = known[of] and waits.of(known[of]).known[id]
    if p and waitpoints.is_open(p, now) then
      items[#items + 1] = { id, of, p.key, p.state, p.kind or "", p.created, p.expires, #p.kept }
    end
    last, seen = member, seen + 1
  end
  return reply.ok(last, seen, "0", items)
end
