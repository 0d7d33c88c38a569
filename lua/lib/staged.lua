--- Nodes that are stored where nobody sees them, until all of them are and the flow is sealed. The field
--- `sx` says who stores them, and how many nodes the flow will have with those that are there.
local keys = require("keys")
local number = require("number")
local record = require("record")

local staged = {}

--- How long a flow that is not sealed is kept.
staged.KEPT_MS = 600000

--- Who stores, and up to which index it is done.
function staged.standing(fl)
  local by, count = string.match(fl.f.sx or "", "^(%x+) (%d+)$")
  return by, tonumber(count)
end

--- Whether somebody may store nodes from an index on: from the first one, or behind what the same has
--- stored.
function staged.may_go_on(fl, by, first)
  if first == fl.nodes then
    return true
  end
  local before, count = staged.standing(fl)
  return before == by and first > fl.nodes and first <= count
end

--- How many nodes were stored at the most, also by somebody who gave up.
function staged.stored(fl)
  return math.max(tonumber(fl.f.sm or "0"), fl.nodes)
end

--- Notes that nodes are stored up to an index.
function staged.note(fl, by, count)
  record.set(fl, "sx", by .. " " .. number.text(count))
  record.set_number(fl, "sm", math.max(staged.stored(fl), count))
end

--- Whether all nodes of a flow of that many are stored, by whoever seals it.
function staged.is_complete(fl, by, nodes)
  local before, count = staged.standing(fl)
  return before == by and count == nodes
end

--- Lets the nodes be seen that are stored; those that have to do something are to start.
function staged.seal(fl)
  record.set(fl, "sx", nil)
  record.set(fl, "sg", nil)
  local from = keys.backlog(fl.partition, "x", fl.flow)
  if redis.call("EXISTS", from) == 1 then
    redis.call("RENAME", from, keys.backlog(fl.partition, "s", fl.flow))
    record.set(fl, "bl", (fl.f.bl or "") .. "s")
  end
end

return staged
